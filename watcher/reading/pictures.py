"""Draw the runs of a training, and the durations of a service, from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
from watcher.reading.trainings import planned, present_population, samples_of
from watcher.reports.runs.progress import PopulationSamples
from watcher.reports.trainings import service_names
from watcher.store.runs.history import past_runs
from watcher.store.runs.latest import TypeRef
from watcher.store.runs.queries import Period, runs_of, runs_of_service
from watcher.store.views import Views

RUNS: Final = 12
"""The number of latest runs of a training that are drawn."""


def title_of(config: Config, views: Views, service: ServiceRef) -> str:
    """Return the name and the id of a service, or the id alone."""
    name = min(service_names(planned(config, service)).get(service, ()), default=views.service_name(service))
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
    training_type: str | None = None,
    narrow: bool = False,
    captions: Captions = english,
) -> str | None:
    """Draw the durations of a service in a period up to the present; ``None`` where no run has ended in it.

    With ``training_type``, the durations of that type alone, without a heading.
    """
    runs = list(runs_of_service(views.connection, service, period, training_type))
    if not runs:
        return None
    first, width = max(period.since, runs[0].ended.after), NARROW_WIDTH if narrow else WIDE_WIDTH
    panels = _panels(views, runs, period)
    return draw_durations(title, panels, first, period.before, zone, width, captions, headed=training_type is None)


def _panels(views: Views, runs: Iterable[EndedRun], period: Period) -> list[Panel]:
    by_type: dict[TypeRef, list[EndedRun]] = {}
    for run in runs:
        by_type.setdefault(TypeRef(run.ref.account, run.ref.service, run.ref.type), []).append(run)
    samples = samples_of(views, period.before)
    return [_panel(views, samples, of, own, period) for of, own in sorted(by_type.items())]


def _panel(views: Views, samples: PopulationSamples, of: TypeRef, runs: Sequence[EndedRun], period: Period) -> Panel:
    """Return the runs of a type, with the usual durations as messages and the page have them, now and at each time."""
    population = present_population(views, of)
    known = [past for run in runs if (past := run.past_run) is not None]
    alike = [run.past_run for run in runs if population.hpo is None or run.hpo is population.hpo]
    earlier = past_runs(views.connection, population, period.since, before=period.since)
    return Panel(
        of.type,
        known,
        len(runs) - len(known),
        learned=[*earlier, *(past for past in alike if past is not None)],
        before=len(earlier),
        usual=samples.usual(population),
    )
