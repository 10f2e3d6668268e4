"""Draw the runs of a training, and the durations of a service, from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import Final

from watcher.config import Config
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.training.run import EndedRun
from watcher.drawing.captions import Captions, english
from watcher.drawing.run_stages import NARROW, WIDE, bars_in_progress, bars_of, draw_runs
from watcher.drawing.service_durations import NARROW as NARROW_WIDTH
from watcher.drawing.service_durations import WIDE as WIDE_WIDTH
from watcher.drawing.service_durations import Panel, draw_durations
from watcher.operations.errors import OperationRefusedError
from watcher.reading.trainings import planned
from watcher.reports.trainings import service_names
from watcher.store.runs.queries import Period, runs_of, runs_of_service
from watcher.store.views import Views

RUNS: Final = 12
"""The number of latest runs of a training that are drawn."""


def title_of(config: Config, views: Views, service: ServiceRef) -> str:
    """Return the name and the id of a service, or the id alone."""
    name = min(service_names(planned(config)).get(service, ()), default=views.service_name(service))
    return service.service if name is None else f"{name} ({service.service})"


def training_picture(  # noqa: PLR0913 - the parts of one picture
    views: Views,
    ref: TrainingRef,
    title: str,
    now: datetime,
    written: Callable[[datetime], str],
    *,
    narrow: bool = False,
    captions: Captions = english,
) -> str:
    """Draw the latest runs of a training; ``written`` writes the time of an end, ``narrow`` is for a phone.

    Raises:
        OperationRefusedError: the training, or every stage of its runs, is not known.
    """
    snapshot = views.one_training(ref)
    if snapshot is None:
        raise OperationRefusedError(
            f"no training {ref.service} {ref.type} {ref.version} is recorded; "
            "aitems-watcher status --all lists what is known"
        )
    seen, runs = snapshot.first_seen_at, reversed(runs_of(views.connection, ref, RUNS))
    rows = [
        row
        for run in runs
        if (row := bars_of(run, captions("plot-ended", time=written(run.ended.middle)), seen)) is not None
    ]
    if snapshot.run is not None:
        rows.insert(0, bars_in_progress(snapshot.run, now, seen, captions))
    if not rows:
        raise OperationRefusedError(f"no stage of a run of {ref.service} {ref.type} {ref.version} is known")
    return draw_runs(f"{title} {ref.type} {ref.version}", rows, NARROW if narrow else WIDE, captions)


def service_picture(  # noqa: PLR0913 - the parts of one picture
    views: Views,
    service: ServiceRef,
    title: str,
    period: Period,
    zone: tzinfo | None,
    *,
    narrow: bool = False,
    captions: Captions = english,
) -> str | None:
    """Draw the durations of a service in a period up to the present; ``None`` where no run has ended in it."""
    runs = list(runs_of_service(views.connection, service, period))
    if not runs:
        return None
    first = max(period.since, runs[0].ended.after)
    return draw_durations(
        title, _panels(runs), first, period.before, zone, NARROW_WIDTH if narrow else WIDE_WIDTH, captions
    )


def _panels(runs: Iterable[EndedRun]) -> list[Panel]:
    by_type: dict[str, list[EndedRun]] = {}
    for run in runs:
        by_type.setdefault(run.ref.type, []).append(run)
    panels = []
    for kind, own in sorted(by_type.items()):
        known = [past for run in own if (past := run.past_run) is not None]
        panels.append(Panel(kind, known, len(own) - len(known)))
    return panels
