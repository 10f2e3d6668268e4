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
    from datetime import timedelta

    from watcher.cli.commands.status import Target
    from watcher.config import Config
    from watcher.core.training.model import ServiceRef, TrainingRef
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
SVG: Final = ".svg"
PNG: Final = ".png"
NO_RESVG: Final = "PNG needs resvg: pip install 'aitems-watcher[png]', or write FILE.svg"
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
    from watcher.reading.pictures import title_of
    from watcher.reading.services import find_service

    if named is None:
        raise typer.BadParameter("write SERVICE, or SERVICE TYPE VERSION", param_hint="SERVICE")
    service = find_service(settings, views, views.polls(), named.service)
    title = title_of(settings, views, service)
    if named.type is None or named.version is None:
        return _service_picture(views, service, title, period)
    return _training_picture(views, TrainingRef(service.account, service.service, named.type, named.version), title)


def _training_picture(views: Views, ref: TrainingRef, title: str) -> str:
    from watcher.reading.pictures import training_picture

    times = present_times(wide=True)
    return training_picture(views, ref, title, times.now, times.minute)


def _service_picture(views: Views, service: ServiceRef, title: str, length: timedelta) -> str:
    from watcher.operations.errors import OperationRefusedError
    from watcher.reading.pictures import service_picture
    from watcher.store.runs.queries import Period

    times = present_times()
    period = Period(since=time_ago(times.now, length, "--since"), before=times.now)
    picture = service_picture(views, service, title, period, times.zone)
    if picture is None:
        raise OperationRefusedError(f"no run of {service.service} has ended since {times.full(period.since)}; {LONGER}")
    return picture
