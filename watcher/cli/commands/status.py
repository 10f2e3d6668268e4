"""``status``: each training's status, failing polls, and undelivered messages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.daemon_health import daemon_health
from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, WideOption, load_usable_config, warn_of
from watcher.cli.store_access import reading
from watcher.cli.text.output import screen
from watcher.cli.text.times import local_times

if TYPE_CHECKING:
    from watcher.cli.text.output import Screen
    from watcher.cli.text.times import LocalTimes
    from watcher.config import Config
    from watcher.core.health.problems import DaemonHealth
    from watcher.reports.status import StatusReport
    from watcher.reports.training_page import TrainingPage
    from watcher.reports.trainings import Selection
    from watcher.store.views import Views

END: Final = help_end(
    "aitems-watcher status --config /etc/aitems-watcher/config.toml",
    "aitems-watcher status shop-main pop maqll0abcde",
    "aitems-watcher status --failed --service 'shop-*'",
    "aitems-watcher status --json | jq '.trainings[] | select(.status == \"learning\")'",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "a problem: no daemon, the store, a poll, a receiver, a delivery or an open incident",
        **READING,
    },
)

TargetArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SERVICE [TYPE VERSION]]",
        help="One service by its id or name, or one training, also as SERVICE/TYPE/VERSION.",
        show_default=False,
    ),
]
FailedOption = Annotated[bool, typer.Option("--failed", help="Only failed trainings, the latest first.")]
ProgressOption = Annotated[bool, typer.Option("--in-progress", help="Only trainings in progress, the longest first.")]
ServiceOption = Annotated[
    str | None,
    typer.Option("--service", "-s", metavar="GLOB", help="Only services whose id or name matches, e.g. 'shop-*'."),
]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="List every training, not only the first 20.")]
WatchOption = Annotated[
    bool,
    typer.Option("--watch", help="Show the parts of the status page, every two seconds, until Ctrl-C; or a selection."),
]


def status(  # noqa: PLR0913 - one parameter an option
    target: TargetArgument = None,
    *,
    failed: FailedOption = False,
    in_progress: ProgressOption = False,
    service: ServiceOption = None,
    all_: AllOption = False,
    watch: WatchOption = False,
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every problem and the trainings.

    Lists the problems, the gravest first, then the trainings in progress, and counts the others; where there are at
    most 20, it lists them all. A run in progress has the usual duration and the expected end, once five runs of its
    service and type are known. Then come undelivered messages, failing polls and open incidents. With a SERVICE it
    shows everything about that; with a training also its runs, stages, settings, events and deliveries. Reads the
    store, asks its daemon, and needs no secret. With --json it prints one object.
    """
    named = parse_target(target or ())
    with plain_errors():
        from watcher.reports.trainings import Selection

        selection = Selection(failed=failed, in_progress=in_progress, everything=all_, service=service)
        settings, faulty = load_usable_config(config)
        warn_of(faulty)
        request = StatusRequest(
            named, selection, faulty=faulty is not None, wide=wide, as_json=as_json, indent=None if watch else 2
        )
        if watch:
            _watch(request, settings)
            raise typer.Exit(ExitStatus.OK)
        has_problem = show(request, settings, screen(wide=wide))
    raise typer.Exit(ExitStatus.FAILED if has_problem else ExitStatus.OK)


def parse_target(texts: Sequence[str]) -> Target | None:
    """Read the arguments: a service, or a training; one text may have slashes.

    Raises:
        typer.BadParameter: they are neither.
    """
    parts = texts[0].split("/") if len(texts) == 1 else list(texts)
    match parts:
        case []:
            return None
        case [service]:
            return Target(service)
        case [account, service] if len(texts) == 1:
            return Target(f"{account}/{service}")
        case [service, kind, version]:
            return Target(service, kind, version)
        case [account, service, kind, version]:
            return Target(f"{account}/{service}", kind, version)
    raise typer.BadParameter("write SERVICE, or SERVICE TYPE VERSION", param_hint="SERVICE")


@dataclass(frozen=True, slots=True)
class Target:
    """The service or training of a page."""

    service: str
    type: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """What to show, and how."""

    target: Target | None
    selection: Selection
    faulty: bool
    """Whether the file is faulty: the daemon may watch more than its usable part says."""
    wide: bool
    as_json: bool
    indent: int | None
    """The indent of JSON; ``None`` for one line."""

    @property
    def is_overview(self) -> bool:
        """Whether everything is shown, as on the first of the status pages."""
        from watcher.reports.trainings import NO_FILTER

        return self.target is None and self.selection == NO_FILTER and not self.as_json


def _watch(request: StatusRequest, settings: Config) -> None:
    from watcher.cli.watching.frames import repeat
    from watcher.cli.watching.latest_config import LatestConfig
    from watcher.store.errors import StoreError

    latest = LatestConfig(settings, faulty=request.faulty)

    def show_once(out: Screen) -> None:
        found, faulty = latest()
        now = replace(request, faulty=faulty)
        if request.is_overview:
            _show_overview(now, found, out)
        else:
            show(now, found, out)

    repeat(show_once, screen(wide=request.wide), StoreError, in_place=not request.as_json)


def _show_overview(request: StatusRequest, settings: Config, out: Screen) -> None:
    from watcher.cli.text.times import zone_of
    from watcher.cli.watching.overview import show_overview
    from watcher.cli.whole_status import overview_now

    show_overview(overview_now(settings, faulty=request.faulty), zone_of(os.environ), out)


def show(request: StatusRequest, settings: Config, out: Screen) -> bool:
    """Read and write the status once; return whether it has a problem."""
    daemon = daemon_health(settings, os.environ)
    page = _page(request, settings, daemon)
    if request.as_json:
        out.json(page.as_json(), indent=request.indent)
    else:
        _write(page, local_times(os.environ, page.at, wide=request.wide), out)
    return page.has_problem


def _page(request: StatusRequest, settings: Config, daemon: DaemonHealth) -> StatusReport | TrainingPage:
    from watcher.clock import Clock
    from watcher.reading.status import without_store
    from watcher.store.errors import StoreLost

    try:
        with reading(settings, os.environ) as views:
            return _read(request, settings, views, daemon)
    except StoreLost as error:
        return without_store(settings, daemon, error, Clock().utc_now())


def _read(request: StatusRequest, settings: Config, views: Views, daemon: DaemonHealth) -> StatusReport | TrainingPage:
    from watcher.cli.whole_status import store_place
    from watcher.clock import Clock
    from watcher.core.training.model import TrainingRef
    from watcher.reading.services import find_service, service_part, training_part
    from watcher.reading.status import read_status

    states, now, faulty = views.polls(), Clock().utc_now(), request.faulty
    place = store_place(settings, daemon)
    read_whole = partial(read_status, settings, views, states, daemon, place=place, now=now, faulty=faulty)
    if request.target is None:
        return read_whole(request.selection)
    service = find_service(settings, views, states, request.target.service)
    part = service_part(read_whole(replace(request.selection, only=service)), service)
    if request.target.type is None or request.target.version is None:
        return part
    ref = TrainingRef(service.account, service.service, request.target.type, request.target.version)
    # It loads the texts of events, which the other pages do not show.
    from watcher.reading.one_training import read_training

    page = read_training(settings, views, states, ref, now=now, faulty=faulty)
    of_training = training_part(part, ref, page.poll)
    return replace(page, problems=of_training.problems, incidents=of_training.incidents)


def _write(page: StatusReport | TrainingPage, times: LocalTimes, out: Screen) -> None:
    from watcher.reports.status import StatusReport

    if isinstance(page, StatusReport):
        from watcher.cli.text.status import show_status

        show_status(page, times, out)
    else:
        from watcher.cli.text.training_page import show_training

        show_training(page, times, out)
