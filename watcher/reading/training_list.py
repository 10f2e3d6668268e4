"""Read the trainings of the store a page at a time, in the order of their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.config import Config
from watcher.core.training.model import Phase, ServiceRef, phase_of
from watcher.reading.trainings import planned, with_progress
from watcher.reports.status import KnownTraining, known, poll_reports
from watcher.reports.status_json import known_json
from watcher.store.trainings import Order, TrainingQuery
from watcher.store.views import Views


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingsWanted:
    """Which trainings to read."""

    service: ServiceRef | None = None
    status: str | None = None
    phase: Phase | None = None
    gone: bool = False
    """Whether trainings that are gone belong to it."""
    after: str | None = None
    """The subject of the last training of the page before."""
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingList:
    """Some trainings in the order of their names."""

    trainings: Sequence[KnownTraining]
    next: str | None
    """The ``after`` of the page that follows; ``None`` at the end."""

    def as_json(self) -> dict[str, object]:
        """Return the page for programs; each training as ``status --json`` has it."""
        return {"trainings": [known_json(item) for item in self.trainings], "next": self.next}


def read_training_list(config: Config, views: Views, wanted: TrainingsWanted, now: datetime) -> TrainingList:
    """Return a page of trainings, with their polls and their runs in progress."""
    query = TrainingQuery(
        statuses=_statuses(views, wanted),
        service=wanted.service,
        gone=wanted.gone,
        order=Order.NAME,
        after=wanted.after,
        limit=wanted.limit + 1,
    )
    found = list(views.find_trainings(query))
    shown = found[: wanted.limit]
    polls = poll_reports(planned(config), views.polls())
    return TrainingList(
        trainings=with_progress(views, tuple(known(shown, polls)), now),
        next=shown[-1].ref.subject if len(found) > wanted.limit else None,
    )


def _statuses(views: Views, wanted: TrainingsWanted) -> frozenset[str | None]:
    found = {item.status for item in views.training_counts()}
    return frozenset(
        status
        for status in found
        if (wanted.status is None or status == wanted.status)
        and (wanted.phase is None or (Phase.UNKNOWN if status is None else phase_of(status)) is wanted.phase)
    )
