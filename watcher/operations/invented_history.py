"""Record an invented history in a store, through the decisions and the store's call that the polling stage uses.

The events, runs and ids are therefore those that the daemon would have recorded. No receiver is notified of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from watcher.core.batch import Batch
from watcher.core.event import Event
from watcher.core.json_object import json_object
from watcher.core.polling.result import PollState
from watcher.core.routing.planning import OutboxState, RoutedEvent, RoutingPlan
from watcher.core.routing.reason import NO_ROUTE
from watcher.core.training.decision import Decision, DecisionContext
from watcher.core.training.lifecycle import decide, with_last_good_poll
from watcher.core.training.model import Observation, ServiceRef, Snapshot, Source, TrainingRef, is_final
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.training.run import EndedRun
from watcher.operations.ports import RecordStore
from watcher.simulator.invented.history import (
    POLL_SECONDS,
    HistoryAnswer,
    HistoryPlan,
    answered_at,
    history_answers,
    history_services,
)

EVERY_SERVICE: Final = "*"
"""The name of all services in a watch."""
BATCH_EVENTS: Final = 1000
"""Events of one transaction."""
_IDENTITY: Final = frozenset({"serviceId", "type", "version", "status"})


@dataclass(slots=True)
class HistoryCounts:
    """The rows that were recorded so far."""

    trainings: int = 0
    runs: int = 0
    events: int = 0
    recorded_until: datetime | None = None
    """The time of the latest answer."""


async def record_history(
    store: RecordStore,
    plan: HistoryPlan,
    account: str,
    started_at: datetime,
    on_progress: Callable[[HistoryCounts], None] = lambda _counts: None,
) -> HistoryCounts:
    """Record a history in a store that has no trainings yet.

    Args:
        store: the store.
        plan: the size of the history.
        account: the name of the account in the configuration.
        started_at: the start of the history, UTC; it ends so many days later.
        on_progress: called after each transaction.

    Raises:
        NotSavedError: the store cannot be written.
    """
    history = _History(store, account, started_at)
    for answer in history_answers(plan, started_at):
        history.add(answer)
        if history.is_full:
            await history.write()
            on_progress(history.counts)
    await history.write(_polls(plan, account, started_at), history.retrainings)
    return history.counts


def _polls(plan: HistoryPlan, account: str, started_at: datetime) -> Iterable[PollState]:
    """Yield the last poll of each service, and that of the list of services."""
    asked_seconds = plan.seconds - POLL_SECONDS
    for service in (*history_services(plan), EVERY_SERVICE):
        yield PollState(
            key=ServiceRef(account, service).subject,
            good_asked_at=started_at + timedelta(seconds=asked_seconds),
            good_answered_at=answered_at(started_at, asked_seconds),
        )


class _History:
    """Decides on one answer after another, and writes the decisions in batches."""

    def __init__(self, store: RecordStore, account: str, started_at: datetime) -> None:
        self.counts = HistoryCounts()
        self._store = store
        self._account = account
        self._started_at = started_at
        self._context = DecisionContext(epoch=store.epoch, polling_since=started_at)
        self._known: dict[TrainingRef, Snapshot] = {}
        self._changed: dict[TrainingRef, Snapshot] = {}
        self._settled: set[TrainingRef] = set()
        """Trainings that no later answer changes."""
        self._events: list[Event] = []
        self._runs: list[EndedRun] = []
        self._retrainings: dict[RetrainingRef, Retraining] = {}

    @property
    def is_full(self) -> bool:
        """Whether the decisions are enough for a transaction."""
        return len(self._events) >= BATCH_EVENTS

    def add(self, answer: HistoryAnswer) -> None:
        """Decide on an answer."""
        observation = self._observation(answer)
        last_asked_at = observation.asked_at - timedelta(seconds=POLL_SECONDS)
        known = self._known.get(observation.ref)
        context = replace(self._context, new_since=last_asked_at, service_name=answer.service_name)
        proven = None if known is None else with_last_good_poll(known, last_asked_at)
        self._keep(decide(proven, observation, context, observation.answered_at))
        self.counts.recorded_until = observation.answered_at
        if known is None:
            self.counts.trainings += 1
        if answer.is_last:
            self._settled.add(observation.ref)

    def _keep(self, decision: Decision) -> None:
        snapshot = decision.snapshot
        self._known[snapshot.ref] = self._changed[snapshot.ref] = snapshot
        retraining = RetrainingRef.of(snapshot.ref)
        state = self._retrainings.get(retraining) or Retraining(ref=retraining, since=snapshot.first_seen_at)
        self._retrainings[retraining] = state if decision.event is None else state.after(decision.event)
        if decision.event is not None:
            self._events.append(decision.event)
        if decision.ended_run is not None:
            self._runs.append(decision.ended_run)

    def _observation(self, answer: HistoryAnswer) -> Observation:
        record = answer.record
        status = str(record["status"])
        return Observation(
            ref=TrainingRef(self._account, str(record["serviceId"]), str(record["type"]), str(record["version"])),
            status=status,
            asked_at=self._started_at + timedelta(seconds=answer.asked_seconds),
            answered_at=answered_at(self._started_at, answer.asked_seconds),
            # An end in a list would wait for a second answer.
            source=Source.VIEW if is_final(status) else Source.LIST,
            record=json_object({name: value for name, value in record.items() if name not in _IDENTITY}),
        )

    @property
    def retrainings(self) -> tuple[Retraining, ...]:
        """The retrainings after the decisions; each transaction changes most of them, so the last one writes them."""
        return tuple(self._retrainings.values())

    async def write(self, polls: Iterable[PollState] = (), retrainings: tuple[Retraining, ...] = ()) -> None:
        """Record the decisions since the last call, with these polls and retrainings, in one transaction."""
        batch = Batch(
            snapshots=tuple(self._changed.values()),
            events=tuple(self._events),
            runs=tuple(self._runs),
            polls=tuple(polls),
            retrainings=retrainings,
            prerouted=_without_receivers(self._events),
        )
        for snapshot in await self._store.record(batch):
            self._known[snapshot.ref] = snapshot
        self.counts.events += len(self._events)
        self.counts.runs += len(self._runs)
        for ref in self._settled:
            del self._known[ref]
        self._settled.clear()
        self._changed.clear()
        self._events.clear()
        self._runs.clear()


def _without_receivers(events: list[Event]) -> RoutingPlan | None:
    """Return the route to no receiver, so that a daemon does not send the events."""
    if not events:
        return None
    routed = tuple(RoutedEvent(event=event, reason=NO_ROUTE, silence=None, deliveries=()) for event in events)
    return RoutingPlan(events=routed, state=OutboxState(), at=events[-1].recorded_at)
