"""Read the trainings of a selection, and how long those in progress usually take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from watcher.config import Config
from watcher.config.to_core import polls_for, polls_of
from watcher.core.durations.past_runs import Population
from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.reports.runs.progress import PopulationSamples
from watcher.reports.status import KnownTraining
from watcher.reports.trainings import (
    Selection,
    TrainingTotals,
    Watched,
    service_filter,
    service_names,
    totals,
    watched,
)
from watcher.store.runs.history import past_runs
from watcher.store.runs.latest import TypeRef, latest_hpo
from watcher.store.trainings import Order, TrainingQuery
from watcher.store.views import Views

MOST_IN_PROGRESS: Final = 1000
"""The expected ends of so many trainings take half a second."""


def planned(config: Config, only: ServiceRef | None = None) -> list[Poll]:
    """Return the polls of the accounts; the usable part of a faulty file may have watches without theirs.

    Args:
        config: the configuration.
        only: a service; the polls of the others are left out, but for those that may discover it.
    """
    polls = polls_of(config) if only is None else polls_for(config, only)
    return [poll for poll in polls if poll.service.account in config.accounts]


@dataclass(frozen=True, slots=True)
class ChosenTrainings:
    """The trainings of a selection, and the counts of all that its services have."""

    snapshots: Sequence[Snapshot]
    totals: TrainingTotals
    more: bool


def choose_trainings(
    views: Views, polls: Sequence[Poll], selection: Selection, *, watches_all: bool = False
) -> ChosenTrainings:
    """Read the counts of trainings, and the rows of those that are shown."""
    takes = service_filter(selection, {} if selection.service is None else service_names(polls))
    counts = [item for item in views.training_counts(selection.only) if takes(item.service)]
    everything_watched = Watched(frozenset(item.service for item in counts), frozenset())
    watches = everything_watched if watches_all else watched(polls)
    counted = totals(counts, views.known_statuses(ref for ref in watches.single if takes(ref.service_ref)), watches)
    everything = selection.shows_all(counts)

    def chosen(ref: TrainingRef) -> bool:
        return takes(ref.service_ref) and (everything or ref in watches)

    takes_all = not selection.filters_services and (everything or not counted.not_watched)
    limit = None if selection.everything else selection.limit
    query = TrainingQuery(
        statuses=selection.statuses(counts),
        service=selection.only,
        gone=everything,
        # Without a condition of ours, the store itself reads no more than the limit.
        takes=None if takes_all else chosen,
        order=_order(selection, everything=everything),
        limit=None if limit is None else limit + 1,
    )
    found = list(views.find_trainings(query))
    more = limit is not None and len(found) > limit
    return ChosenTrainings(found[:limit], counted, more)


def with_progress(views: Views, trainings: Sequence[KnownTraining], now: datetime) -> Sequence[KnownTraining]:
    """Add the run of each training in progress beside earlier ones; of a thousand with ``--all``."""
    first = [item for item in trainings if item.snapshot.run is not None][:MOST_IN_PROGRESS]
    if not first:
        return trainings
    samples = samples_of(views, now)
    progress = {item.snapshot.ref: samples.progress(item.snapshot) for item in first}
    return [replace(item, progress=progress.get(item.snapshot.ref)) for item in trainings]


def samples_of(views: Views, now: datetime) -> PopulationSamples:
    """Return the durations of past runs, which are read as they are asked for."""
    return PopulationSamples(lambda population: past_runs(views.connection, population, now), now)


def present_population(views: Views, of: TypeRef) -> Population:
    """Return the runs that the latest run of a service and type resembles: those that its message names."""
    return Population(of.account, of.type, of.service, latest_hpo(views.connection, of))


def _order(selection: Selection, *, everything: bool) -> Order:
    if everything and selection.only is None:
        return Order.NAME
    return Order.LATEST if everything or not selection.shows_progress else Order.LONGEST
