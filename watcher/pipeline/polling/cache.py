"""What the looking stage knows, in step with the store: nothing is known here that a restart would not know.

Events commit at once with the snapshots they belong to. What merely repeats (a look that saw nothing new) is
written once a second, so that a crash only widens the bounds of the next change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace

from watcher.core.batch import Batch, IncidentRow
from watcher.core.event import after_restore
from watcher.core.incidents.tracker import Incident
from watcher.core.polling.result import PollState
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.pipeline.ports import PollStore


class PollCache:
    """Snapshots and looks, loaded once and written through."""

    def __init__(self, poll_store: PollStore) -> None:
        self._poll_store = poll_store
        self._services: dict[ServiceRef, dict[TrainingRef, Snapshot]] = {}
        self._polls: dict[str, PollState] = {}
        self._incident_rows: dict[str, IncidentRow] = {}
        self.deviations: frozenset[str] = frozenset()
        """Differences from the documents that were said already."""
        self._unwritten_trainings: set[TrainingRef] = set()
        self._unwritten_polls: set[str] = set()
        # Revisions are counted by the store; two writes at a time would count the same one twice.
        self._writing = asyncio.Lock()

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        return self._poll_store.epoch

    async def load(self) -> None:
        """Read everything that is remembered."""
        saved = await self._poll_store.load()
        self._keep(saved.snapshots)
        self._polls = {state.key: state for state in saved.polls}
        self._incident_rows = {incident_row.subject: incident_row for incident_row in saved.incident_rows}
        self.deviations = saved.deviations

    def poll(self, key: str) -> PollState:
        """Return what is remembered of a look; a new one where there is nothing."""
        return self._polls.get(key) or PollState(key=key)

    def service(self, ref: ServiceRef) -> Mapping[TrainingRef, Snapshot]:
        """Return the known trainings of a service."""
        return self._services.get(ref, {})

    def training(self, ref: TrainingRef) -> Snapshot | None:
        """Return what is recorded of a training."""
        return self.service(ref.service_ref).get(ref)

    def incident_row(self, subject: str) -> IncidentRow:
        """Return what is remembered of a subject that could not be seen."""
        return self._incident_rows.get(subject) or IncidentRow(subject=subject, seq=0, incident=None)

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that are open."""
        return [
            incident_row.incident for incident_row in self._incident_rows.values() if incident_row.incident is not None
        ]

    async def commit(self, batch: Batch) -> None:
        """Write at once; what is known changes only when the write has succeeded."""
        await _to_its_end(self._commit(batch))

    async def _commit(self, batch: Batch) -> None:
        async with self._writing:
            snapshots = tuple(self._at_revision(item) for item in batch.snapshots)
            events = tuple(after_restore(event, self._poll_store.restored_at) for event in batch.events)
            written = await self._poll_store.record(replace(batch, snapshots=snapshots, events=events))
            self._keep(written)
            self._polls |= {state.key: state for state in batch.polls}
            self.deviations |= {deviation.description for deviation in batch.deviations}
            self._incident_rows |= {incident_row.subject: incident_row for incident_row in batch.incident_rows}
            self._unwritten_trainings -= {snapshot.ref for snapshot in written}
            self._unwritten_polls -= {state.key for state in batch.polls}

    def note(self, snapshots: Iterable[Snapshot], poll: PollState | None) -> None:
        """Know it now, write it with the next flush."""
        # A write since the decision may have counted the revision on.
        current = [self._at_revision(snapshot) for snapshot in snapshots]
        changed = [snapshot for snapshot in current if snapshot != self.training(snapshot.ref)]
        self._keep(changed)
        self._unwritten_trainings |= {snapshot.ref for snapshot in changed}
        if poll is not None and poll != self._polls.get(poll.key):
            self._polls[poll.key] = poll
            self._unwritten_polls.add(poll.key)

    async def flush(self) -> None:
        """Write what was noted since the last flush; what is noted during the write waits for the next one."""
        await _to_its_end(self._flush())

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
            self._keep([replace(current, revision=snapshot.revision)])

    def _at_revision(self, snapshot: Snapshot) -> Snapshot:
        known = self.training(snapshot.ref)
        return replace(snapshot, revision=known.revision if known else 0)

    def _keep(self, snapshots: Iterable[Snapshot]) -> None:
        for snapshot in snapshots:
            self._services.setdefault(snapshot.ref.service_ref, {})[snapshot.ref] = snapshot


async def _to_its_end(write: Coroutine[object, object, None]) -> None:
    """Go on with a write whose stage is cancelled: the store commits it all the same, and that must be known."""
    await asyncio.shield(asyncio.create_task(write))
