"""The stored state of the polling stage in memory, in step with the store.

An event is committed at once, with its snapshot. The cache adopts a change after its commit, so it never holds an
event or a status that a restart would not find. A poll with nothing new is only noted, and written by the next flush.
A crash loses such notes, which widens the bounds of the next change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace

from watcher.core.batch import Batch, IncidentRow
from watcher.core.event import after_restore
from watcher.core.incidents.model import Incident
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollState
from watcher.core.polling.schedule import may_need_fast_polls
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.training.run import run_after_restore
from watcher.core.usability.facts import AWAITING
from watcher.pipeline.polling.runs.deadlines import Deadlines, PollDeadlines
from watcher.pipeline.ports import PollStore
from watcher.pipeline.wakeup import Wake


class PollCache:
    """Snapshots, poll states and incidents, loaded once and written through."""

    def __init__(self, poll_store: PollStore) -> None:
        self._poll_store = poll_store
        self._services: dict[ServiceRef, dict[TrainingRef, Snapshot]] = {}
        self._polls: dict[str, PollState] = {}
        self._in_progress: dict[ServiceRef, set[TrainingRef]] = {}
        self._unsettled: dict[ServiceRef, set[TrainingRef]] = {}
        """The trainings without a run in progress that may need the fast interval."""
        self._deadlines = Deadlines()
        self._awaiting_results: dict[ServiceRef, set[TrainingRef]] = {}
        """The completed trainings without an inference result that is awaited."""
        self._viewed: dict[ServiceRef, set[TrainingRef]] = {}
        """The trainings with a poll state of their own."""
        self._incident_rows: dict[str, IncidentRow] = {}
        self._retrainings: dict[ServiceRef, dict[RetrainingRef, Retraining]] = {}
        self.deviations: frozenset[str] = frozenset()
        """The descriptions of the deviations that were logged already."""
        self.changed = Wake()
        """Ends a wait when the next flush may have something to write."""
        self._listeners: set[Wake] = set()
        self._unwritten_trainings: set[TrainingRef] = set()
        self._unwritten_polls: set[str] = set()
        # The store counts the revisions of a snapshot. Two writes at a time would start from the same revision.
        self._writing = asyncio.Lock()

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        return self._poll_store.epoch

    async def load(self) -> None:
        """Load the stored state."""
        saved = await self._poll_store.load()
        self._adopt(saved.snapshots)
        self._adopt_polls(saved.polls)
        self._incident_rows = {incident_row.subject: incident_row for incident_row in saved.incident_rows}
        self._adopt_retrainings(saved.retrainings)
        self.deviations = saved.deviations

    def poll(self, key: str) -> PollState:
        """Return the state of a poll; an empty one before its first result."""
        return self._polls.get(key) or PollState(key=key)

    def service(self, ref: ServiceRef) -> Mapping[TrainingRef, Snapshot]:
        """Return the recorded trainings of a service."""
        return self._services.get(ref, {})

    def training(self, ref: TrainingRef) -> Snapshot | None:
        """Return the snapshot of a training, if there is one."""
        return self.service(ref.service_ref).get(ref)

    def in_progress(self, poll: Poll) -> list[Snapshot]:
        """Return the trainings of a poll that have a run in progress."""
        refs: AbstractSet[TrainingRef] = self._in_progress.get(poll.service, frozenset())
        known = self.service(poll.service)
        if poll.training is not None:
            return [known[poll.training]] if poll.training in refs else []
        return [known[ref] for ref in refs if poll.concerns(ref)]

    def unsettled(self, poll: Poll) -> Iterator[Snapshot]:
        """Yield each training of a poll that may need the fast interval, and perhaps others in progress."""
        known = self.known(poll)
        for refs in (self._in_progress.get(poll.service, ()), self._unsettled.get(poll.service, ())):
            yield from (known[ref] for ref in refs if ref in known)

    def deadlines(self, poll: Poll) -> PollDeadlines:
        """Return when trainings of a poll may be stuck."""
        return self._deadlines.of(poll, self.in_progress)

    def forget_deadlines(self, key: str) -> None:
        """Forget the deadlines of a poll that has ended."""
        self._deadlines.forget(key)

    def awaiting_results(self, poll: Poll) -> list[Snapshot]:
        """Return the completed trainings of a poll whose inference result is awaited."""
        refs = self._awaiting_results.get(poll.service)
        known = self.known(poll) if refs else {}
        return [known[ref] for ref in refs or () if ref in known]

    def all_in_progress(self) -> list[Snapshot]:
        """Return every training that has a run in progress."""
        return [self._services[service][ref] for service, refs in self._in_progress.items() for ref in refs]

    def has_poll(self, key: str) -> bool:
        """Return whether there is a state of a poll."""
        return key in self._polls

    def viewed(self, service: ServiceRef) -> AbstractSet[TrainingRef]:
        """Return the trainings of a service that have a poll state of their own."""
        return self._viewed.get(service, frozenset())

    def polled_services(self) -> list[ServiceRef]:
        """Return the services whose list has a state."""
        return [service for key in self._polls if (service := ServiceRef.from_subject(key)) is not None]

    def known(self, poll: Poll) -> Mapping[TrainingRef, Snapshot]:
        """Return the recorded trainings that a poll is about."""
        if poll.training is None:
            trainings = self.service(poll.service)
            return trainings if poll.whole_service else {ref: trainings[ref] for ref in poll.single if ref in trainings}
        snapshot = self.training(poll.training)
        return {} if snapshot is None else {poll.training: snapshot}

    def incident_row(self, subject: str) -> IncidentRow:
        """Return the incident row of a subject; an empty one before its first incident."""
        return self._incident_rows.get(subject) or IncidentRow(subject=subject, seq=0, incident=None)

    def retrainings(self, service: ServiceRef) -> Mapping[RetrainingRef, Retraining]:
        """Return the retrainings of a service, by type."""
        return self._retrainings.get(service, {})

    def open_incidents(self) -> list[Incident]:
        """Return the open incidents."""
        return [
            incident_row.incident for incident_row in self._incident_rows.values() if incident_row.incident is not None
        ]

    @contextmanager
    def listening(self) -> Iterator[Wake]:
        """Give a wait that ends with each result of a poll, while the block runs."""
        listener = Wake()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def commit(self, batch: Batch) -> None:
        """Write a batch now, and adopt it when the write has succeeded.

        Raises:
            NotSavedError: the store cannot be written for a while; the cache is unchanged.
        """
        await _finish(self._commit(batch))

    async def _commit(self, batch: Batch) -> None:
        async with self._writing:
            snapshots = tuple(self._at_revision(item) for item in batch.snapshots)
            events = tuple(after_restore(event, self._poll_store.restore) for event in batch.events)
            runs = tuple(run_after_restore(run, self._poll_store.restore) for run in batch.runs)
            written = await self._poll_store.record(replace(batch, snapshots=snapshots, events=events, runs=runs))
            self._adopt(written)
            self._adopt_polls(batch.polls)
            self._forget(batch.forgotten_polls)
            self.deviations |= {deviation.description for deviation in batch.deviations}
            self._incident_rows |= {incident_row.subject: incident_row for incident_row in batch.incident_rows}
            self._adopt_retrainings(batch.retrainings)
            self._unwritten_trainings -= {snapshot.ref for snapshot in written}
            self._unwritten_polls -= {state.key for state in batch.polls}
            # The batch may have ended the subject of an incident.
            self.changed.tick()

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._polls.pop(key, None)
            self._unwritten_polls.discard(key)
            if (ref := _training_of(key)) is not None:
                self._viewed.get(ref.service_ref, set()).discard(ref)

    def _adopt_polls(self, states: Iterable[PollState]) -> None:
        for state in states:
            self._polls[state.key] = state
            if (ref := _training_of(state.key)) is not None:
                self._viewed.setdefault(ref.service_ref, set()).add(ref)
        for listener in self._listeners:
            listener.tick()

    def _adopt_retrainings(self, retrainings: Iterable[Retraining]) -> None:
        for state in retrainings:
            self._retrainings.setdefault(state.ref.service_ref, {})[state.ref] = state

    def note(self, snapshots: Iterable[Snapshot], polls: Iterable[PollState]) -> None:
        """Adopt snapshots and poll states now; the next flush writes them."""
        # A flush since the decision may have raised the revision.
        current = [self._at_revision(snapshot) for snapshot in snapshots]
        changed = [snapshot for snapshot in current if snapshot != self.training(snapshot.ref)]
        self._adopt(changed)
        self._unwritten_trainings |= {snapshot.ref for snapshot in changed}
        for poll in polls:
            if poll != self._polls.get(poll.key):
                self._adopt_polls([poll])
                self._unwritten_polls.add(poll.key)
        if self._unwritten_trainings or self._unwritten_polls:
            self.changed.tick()

    def share_record(self, snapshot: Snapshot, record: Mapping[str, object]) -> None:
        """Keep the record of the latest list instead of an equal one, so that both need the memory of one."""
        self._adopt([replace(snapshot, record=record)])

    async def flush(self) -> None:
        """Write the notes since the last flush; a note during the write waits for the next one.

        Raises:
            NotSavedError: the store cannot be written for a while; the next flush writes these notes, too.
        """
        await _finish(self._flush())

    async def _flush(self) -> None:
        async with self._writing:
            trainings, self._unwritten_trainings = self._unwritten_trainings, set()
            polls, self._unwritten_polls = self._unwritten_polls, set()
            try:
                await self._write(trainings, polls)
            except BaseException:
                self._unwritten_trainings |= trainings
                self._unwritten_polls |= polls
                raise

    async def _write(self, trainings: set[TrainingRef], polls: set[str]) -> None:
        if not trainings and not polls:
            return
        snapshots = tuple(snapshot for ref in trainings if (snapshot := self.training(ref)))
        states = tuple(self._polls[key] for key in polls)
        written = await self._poll_store.record(Batch(snapshots=snapshots, polls=states))
        for snapshot in written:
            current = self.training(snapshot.ref) or snapshot
            self._adopt([replace(current, revision=snapshot.revision)])

    def _at_revision(self, snapshot: Snapshot) -> Snapshot:
        known = self.training(snapshot.ref)
        revision = known.revision if known else 0
        return snapshot if snapshot.revision == revision else replace(snapshot, revision=revision)

    def _adopt(self, snapshots: Iterable[Snapshot]) -> None:
        for snapshot in snapshots:
            runs = snapshot.run is not None
            self._services.setdefault(snapshot.ref.service_ref, {})[snapshot.ref] = snapshot
            _mark(self._in_progress, snapshot.ref, member=runs)
            _mark(self._unsettled, snapshot.ref, member=not runs and may_need_fast_polls(snapshot))
            _mark(self._awaiting_results, snapshot.ref, member=snapshot.result in AWAITING)
            self._deadlines.note(snapshot)


def _mark(refs: dict[ServiceRef, set[TrainingRef]], ref: TrainingRef, *, member: bool) -> None:
    """Add a training to those of its service, or remove it from them."""
    if member:
        refs.setdefault(ref.service_ref, set()).add(ref)
    elif ref.service_ref in refs:
        refs[ref.service_ref].discard(ref)


def _training_of(key: str) -> TrainingRef | None:
    """Return the training of a poll's key; ``None`` for the key of a list."""
    return TrainingRef.from_subject(key) if key.startswith("training:") else None


async def _finish(write: Coroutine[object, object, None]) -> None:
    """Finish a write although its stage is cancelled: the store commits it anyway, so the cache must adopt it."""
    await asyncio.shield(asyncio.create_task(write))
