"""``plot``: the runs of a training, or the durations of a service, as a picture."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.commands.status import parse_target
from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, duration, load_for_store, present_times, time_ago
from watcher.cli.store_access import reading
from watcher.cli.written_file import written_bytes, written_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from watcher.cli.commands.status import Target
    from watcher.cli.text.times import LocalTimes
    from watcher.config import Config
    from watcher.core.training.model import ServiceRef, TrainingRef
    from watcher.core.training.run import EndedRun
    from watcher.drawing.service_durations import Panel
    from watcher.store.views import Views

END: Final = help_end(
    "aitems-watcher plot shop-main --since 30d -o shop.svg",
    "aitems-watcher plot shop-main pop maqll0abcde -o training.svg",
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "there is no such run, or the file cannot be written", **READING},
)

TargetArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SERVICE [TYPE VERSION]",
        help="A service by its id or name, or a training, also as SERVICE/TYPE/VERSION.",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE.svg|FILE.png", help="The file to write.", show_default=False)
]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="DURATION", help="Of a service, runs that ended within this time.")
]
RUNS: Final = 12
"""The number of latest runs of a training that are drawn."""
SVG: Final = ".svg"
PNG: Final = ".png"
NO_RESVG: Final = "PNG needs resvg: pip install 'aitems-watcher[png]', or write FILE.svg"
SEE_STATUS: Final = "aitems-watcher status --all lists what is known"
LONGER: Final = "name a longer time, e.g. --since 365d, or see aitems-watcher status"


def plot(
    target: TargetArgument, *, output: OutputOption, since: SinceOption = "90d", config: ConfigOption = None
) -> None:
    """Draw the runs of a training, or the durations of a service.

    A training has a row a run with a bar a stage, and the bounds of each change below it. A service has its durations
    over time, one panel a type, with the usual band as it was known then; failed runs are crosses. Times are local.
    Writes SVG, or PNG with the extra "png" (resvg). Reads the store beside a running daemon, and needs no secret.
    """
    named = parse_target(target)
    period = duration(since, "--since")
    _require_format(output)
    with plain_errors():
        settings = load_for_store(config)
        with reading(settings, os.environ) as views:
            picture = _picture(settings, views, named, period)
        if output.suffix.lower() == PNG:
            from watcher.cli.png import png_of

            with written_bytes(output) as file:
                file.write(png_of(picture))
            return
        with written_file(output) as stream:
            stream.write(picture)


def _require_format(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix not in {SVG, PNG}:
        raise typer.BadParameter("the name must end with .svg or .png", param_hint="--output")
    if suffix == PNG and not (find_spec("resvg_py") and find_spec("font_roboto")):
        raise typer.BadParameter(NO_RESVG, param_hint="--output")


def _picture(settings: Config, views: Views, named: Target | None, period: timedelta) -> str:
    from watcher.core.training.model import TrainingRef
    from watcher.reading.services import find_service

    if named is None:
        raise typer.BadParameter("write SERVICE, or SERVICE TYPE VERSION", param_hint="SERVICE")
    service = find_service(settings, views, views.polls(), named.service)
    if named.type is None or named.version is None:
        return _service_picture(views, service, period)
    return _training_picture(views, TrainingRef(service.account, service.service, named.type, named.version))


def _training_picture(views: Views, ref: TrainingRef) -> str:
    from watcher.drawing.run_stages import bars_in_progress, bars_of, draw_runs
    from watcher.operations.errors import OperationRefusedError
    from watcher.store.runs.queries import runs_of

    times, snapshot = present_times(wide=True), views.one_training(ref)
    if snapshot is None:
        raise OperationRefusedError(f"no training {ref.service} {ref.type} {ref.version} is recorded; {SEE_STATUS}")
    seen, runs = snapshot.first_seen_at, reversed(runs_of(views.connection, ref, RUNS))
    rows = [row for run in runs if (row := bars_of(run, _ended_text(run, times), seen)) is not None]
    if snapshot.run is not None:
        rows.insert(0, bars_in_progress(snapshot.run, times.now, seen))
    if not rows:
        raise OperationRefusedError(f"no stage of a run of {ref.service} {ref.type} {ref.version} is known")
    return draw_runs(f"{ref.service} {ref.type} {ref.version}", rows)


def _ended_text(run: EndedRun, times: LocalTimes) -> str:
    return f"ended {times.minute(run.ended.middle)}"


def _service_picture(views: Views, service: ServiceRef, length: timedelta) -> str:
    from watcher.drawing.service_durations import draw_durations
    from watcher.operations.errors import OperationRefusedError
    from watcher.store.runs.queries import Period, runs_of_service

    times = present_times()
    period = Period(since=time_ago(times.now, length, "--since"), before=times.now)
    runs = list(runs_of_service(views.connection, service, period))
    if not runs:
        raise OperationRefusedError(f"no run of {service.service} has ended since {times.full(period.since)}; {LONGER}")
    first = max(period.since, runs[0].ended.after)
    return draw_durations(service.service, _panels(runs), first, times.now, times.zone)


def _panels(runs: Iterable[EndedRun]) -> list[Panel]:
    from watcher.drawing.service_durations import Panel

    by_type: dict[str, list[EndedRun]] = {}
    for run in runs:
        by_type.setdefault(run.ref.type, []).append(run)
    panels = []
    for kind, own in sorted(by_type.items()):
        known = [past for run in own if (past := run.past_run) is not None]
        panels.append(Panel(kind, known, len(own) - len(known)))
    return panels
