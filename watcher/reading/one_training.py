"""Read everything about one training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from watcher.config import Config
from watcher.core.health.problems import DaemonHealth
from watcher.core.polling.result import PollState
from watcher.core.routing.silence import may_concern
from watcher.core.training.comparison import UsualFacts
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.run import EndedRun
from watcher.operations.errors import OperationRefusedError
from watcher.reading.services import service_part, training_part
from watcher.reading.status import StorePlace, read_status
from watcher.reading.trainings import planned, samples_of, with_progress
from watcher.reports.runs.progress import PopulationSamples, population_of
from watcher.reports.runs.runs import Differences, differences
from watcher.reports.status import known, poll_reports, serving
from watcher.reports.training_page import TrainingPage
from watcher.reports.trainings import Selection
from watcher.store.runs.history import last_good
from watcher.store.runs.queries import runs_of
from watcher.store.views import HistoryFilter, Views

PAGE_RUNS: Final = 5
"""The number of latest runs on a training's page."""
PAGE_EVENTS: Final = 20
"""The number of latest events on a training's page."""


def read_training(  # noqa: PLR0913 - the parts of one page
    config: Config,
    views: Views,
    states: Mapping[str, PollState],
    ref: TrainingRef,
    *,
    now: datetime,
    faulty: bool = False,
) -> TrainingPage:
    """Read everything about one training; ``states`` and ``faulty`` as in ``read_status``.

    Raises:
        OperationRefusedError: it is not in the store.
    """
    snapshot = views.one_training(ref)
    if snapshot is None:
        raise OperationRefusedError(
            f"there is no training {ref.service} {ref.type} {ref.version}; see aitems-watcher status {ref.service}"
        )
    polls = poll_reports(planned(config, ref.service_ref), states)
    polled = serving(ref, polls)
    (training,) = with_progress(views, tuple(known([snapshot], polls, watches_all=faulty)), now)
    runs = runs_of(views.connection, ref, PAGE_RUNS)
    account = config.accounts.get(ref.account)
    return TrainingPage(
        at=now,
        training=training,
        zone=None if account is None else ZoneInfo(account.time_zone),
        labels={} if polled is None else polled.poll.attributes_of(ref).labels,
        poll=polled,
        events=views.history(HistoryFilter(subject=ref.subject, limit=PAGE_EVENTS)),
        silences=[item for item in views.silences(now) if may_concern(item, ref.service_ref, ref)],
        runs=runs,
        stage_usual=_usual_stages(samples_of(views, now), snapshot, runs),
        differences=_differences(views, snapshot, runs, now),
    )


def read_training_with_problems(  # noqa: PLR0913, PLR0917 - the parts of one page
    config: Config, views: Views, daemon: DaemonHealth, place: StorePlace, ref: TrainingRef, now: datetime
) -> TrainingPage:
    """Read everything about one training, with the problems of the daemon and of what polls it.

    Raises:
        OperationRefusedError: it is not in the store.
    """
    states = views.polls(ref.service_ref)
    page = read_training(config, views, states, ref, now=now)
    selection = Selection(only=ref.service_ref, limit=1)
    whole = read_status(config, views, states, daemon, selection, place=place, now=now)
    part = training_part(service_part(whole, ref.service_ref), ref, page.poll)
    return replace(page, problems=part.problems, incidents=part.incidents)


def _usual_stages(samples: PopulationSamples, snapshot: Snapshot, runs: Sequence[EndedRun]) -> Mapping[str, UsualFacts]:
    """Return how long the stages of the present or latest run usually take."""
    shown = snapshot.run if snapshot.run is not None else next(reversed(runs), None)
    statuses = dict.fromkeys(stage.status for stage in (() if shown is None else shown.stages))
    found = {status: samples.usual(population_of(snapshot, status)) for status in statuses}
    return {status: usual for status, usual in found.items() if usual is not None}


def _differences(views: Views, snapshot: Snapshot, runs: Sequence[EndedRun], now: datetime) -> Differences | None:
    """Compare a training with the last version that completed before its own end; ``None`` where it has no run."""
    if snapshot.run is None and not runs:
        return None
    before = now if snapshot.run is not None else runs[-1].ended.before
    last = last_good(views.connection, snapshot.ref, before)
    return None if last is None else differences(snapshot.record, last)
