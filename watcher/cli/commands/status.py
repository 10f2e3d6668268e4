"""``status``: each training's status, failing polls, and undelivered messages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.daemon_health import daemon_health, store_failing
from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, WideOption, load_for_store
from watcher.cli.store_access import reading, store_health
from watcher.cli.text.output import screen
from watcher.cli.text.times import local_times

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.health.problems import DaemonHealth
    from watcher.core.polling.plan import Poll
    from watcher.core.training.model import Snapshot, TrainingRef
    from watcher.reports.status import FailedDelivery, StatusReport
    from watcher.reports.trainings import Selection, TrainingTotals
    from watcher.store.views import QueueState, Views

END: Final = help_end(
    "aitems-watcher status --config /etc/aitems-watcher/config.toml",
    "aitems-watcher status --json | jq '.trainings[] | select(.status == \"learning\")'",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "a problem: no daemon, the store, a poll, a receiver, a delivery or an open incident",
        **READING,
    },
)
SEARCHED: Final = 1_000
"""The number of latest events that are searched for dead and held deliveries."""


FailedOption = Annotated[bool, typer.Option("--failed", help="Only failed trainings, the latest first.")]
ProgressOption = Annotated[bool, typer.Option("--in-progress", help="Only trainings in progress, the longest first.")]
ServiceOption = Annotated[
    str | None,
    typer.Option("--service", "-s", metavar="GLOB", help="Only services whose id or name matches, e.g. 'shop-*'."),
]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="List every training, not only the first 20.")]


def status(  # noqa: PLR0913 - one parameter an option
    *,
    failed: FailedOption = False,
    in_progress: ProgressOption = False,
    service: ServiceOption = None,
    all_: AllOption = False,
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every problem and the trainings.

    Lists the problems, the gravest first, then the trainings in progress, and counts the others; where there are at
    most 20, it lists them all. Then come undelivered messages, failing polls and open incidents. Reads the store, asks
    its daemon, and needs no secret. With --json it prints one object.
    """
    with plain_errors():
        from watcher.reports.trainings import Selection

        selection = Selection(failed=failed, in_progress=in_progress, everything=all_, service=service)
        settings = load_for_store(config)
        report = read_report(settings, selection)
    out = screen(wide=wide)
    if as_json:
        from watcher.reports.status_json import status_json

        out.json(status_json(report))
    else:
        from watcher.cli.text.status import show_status

        show_status(report, local_times(os.environ, report.at, wide=wide), out)
    raise typer.Exit(ExitStatus.FAILED if report.problems else ExitStatus.OK)


def read_report(config: Config, selection: Selection) -> StatusReport:
    """Ask the daemon for its health, and read its store.

    Raises:
        StoreUnusable: there is no store, or it cannot be read.
    """
    daemon = daemon_health(config, os.environ)
    with reading(config, os.environ) as views:
        return read_status(config, views, daemon, selection)


def read_status(config: Config, views: Views, daemon: DaemonHealth, selection: Selection) -> StatusReport:
    """Read the store and join it with the configuration and the daemon's answer."""
    from watcher.clock import Clock
    from watcher.config.to_core import polls_of
    from watcher.core.health.readiness import not_ready_reasons
    from watcher.reports.status import StatusReport, known, poll_reports
    from watcher.store.health_stats import health_stats

    now = Clock().utc_now()
    stats = health_stats(views, config.store_url(os.environ), now)
    polls = poll_reports(polls_of(config), views.polls())
    queues = views.queues()
    chosen = choose_trainings(views, [polled.poll for polled in polls], selection)
    return StatusReport(
        at=now,
        trainings=tuple(known(chosen.snapshots, polls)),
        totals=chosen.totals,
        selection=selection,
        more=chosen.more,
        polls=polls,
        incidents=views.incidents(),
        queues=queues,
        failed_deliveries=_failed_deliveries(views) if _any_failed_delivery(queues) else (),
        receivers=frozenset(config.receivers),
        daemon=daemon,
        reasons=not_ready_reasons(
            stats, {}, first_round_done=True, store_failing=store_failing(config.store_path(os.environ), daemon)
        ),
        deviations=views.deviations(),
        failing_receivers=views.failing_receivers(),
        unannounced=views.unannounced(),
        silences=views.silences(now),
        store=store_health(config.store_path(os.environ), views, now),
    )


@dataclass(frozen=True, slots=True)
class ChosenTrainings:
    """The trainings of a selection, and the counts of all."""

    snapshots: Sequence[Snapshot]
    totals: TrainingTotals
    more: bool


def choose_trainings(views: Views, polls: Sequence[Poll], selection: Selection) -> ChosenTrainings:
    """Read the counts of trainings, and the rows of those that are shown."""
    from watcher.reports.trainings import service_filter, service_names, totals, watched
    from watcher.store.trainings import Order, TrainingQuery

    watches = watched(polls)
    takes = service_filter(selection.service or "*", service_names(polls))
    counts = [item for item in views.training_counts() if takes(item.service)]
    single = views.known_statuses(ref for ref in watches.single if takes(ref.service_ref))
    everything = selection.shows_all(counts)

    counted = totals(counts, single, watches)

    def chosen(ref: TrainingRef) -> bool:
        return takes(ref.service_ref) and (everything or ref in watches)

    takes_all = selection.service is None and (everything or not counted.not_watched)
    limit = None if selection.everything else selection.limit
    query = TrainingQuery(
        statuses=selection.statuses(counts),
        gone=everything,
        # Without a condition of ours, the store itself reads no more than the limit.
        takes=None if takes_all else chosen,
        order=Order.NAME if everything else Order.LONGEST if selection.shows_progress else Order.LATEST,
        limit=None if limit is None else limit + 1,
    )
    found = list(views.find_trainings(query))
    more = limit is not None and len(found) > limit
    return ChosenTrainings(found[:limit], counted, more)


def _any_failed_delivery(queues: list[QueueState]) -> bool:
    from watcher.reports.status import NEEDS_OPERATOR

    return any(queue.state in NEEDS_OPERATOR for queue in queues)


def _failed_deliveries(views: Views) -> tuple[FailedDelivery, ...]:
    from watcher.reports.status import failed_deliveries_in
    from watcher.store.views import HistoryFilter

    return tuple(failed_deliveries_in(views.history(HistoryFilter(limit=SEARCHED))))
