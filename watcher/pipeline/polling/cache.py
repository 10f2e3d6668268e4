"""What the looking stage knows, in step with the store: nothing is known here that a restart would not know.

Events commit at once with the snapshots they belong to. What merely repeats (a look that saw nothing new) is
written once a second, so that a crash only widens the bounds of the next change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace

from watcher.core.batch import Batch, Trouble
from watcher.core.event import after_restore
from watcher.core.incidents.tracker import Incident
from watcher.core.polling.result import LookState
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.pipeline.ports import Polls


class Memory:
    """Snapshots and looks, loaded once and written through."""

    def __init__(self, polls: Polls) -> None:
        self._polls = polls
        self._services: dict[ServiceRef, dict[TrainingRef, Snapshot]] = {}
        self._looks: dict[str, LookState] = {}
        self._troubles: dict[str, Trouble] = {}
        self.oddities: frozenset[str] = frozenset()
        """Differences from the documents that were said already."""
        self._unwritten_trainings: set[TrainingRef] = set()
        self._unwritten_looks: set[str] = set()
        # Revisions are counted by the store; two writes at a time would count the same one twice.
        self._writing = asyncio.Lock()

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        return self._polls.epoch

    async def load(self) -> None:
        """Read everything that is remembered."""
        remembered = await self._polls.load()
        self._keep(remembered.snapshots)
        self._looks = {state.key: state for state in remembered.looks}
        self._troubles = {trouble.subject: trouble for trouble in remembered.troubles}
        self.oddities = remembered.oddities

    def look(self, key: str) -> LookState:
        """Return what is remembered of a look; a new one where there is nothing."""
        return self._looks.get(key) or LookState(key=key)

    def service(self, ref: ServiceRef) -> Mapping[TrainingRef, Snapshot]:
        """Return the known trainings of a service."""
        return self._services.get(ref, {})

    def training(self, ref: TrainingRef) -> Snapshot | None:
        """Return what is recorded of a training."""
        return self.service(ref.service_ref).get(ref)

    def trouble(self, subject: str) -> Trouble:
        """Return what is remembered of a subject that could not be seen."""
        return self._troubles.get(subject) or Trouble(subject=subject, seq=0, incident=None)

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that are open."""
        return [trouble.incident for trouble in self._troubles.values() if trouble.incident is not None]

    async def commit(self, batch: Batch) -> None:
        """Write at once; what is known changes only when the write has succeeded."""
        await _to_its_end(self._commit(batch))

    async def _commit(self, batch: Batch) -> None:
        async with self._writing:
            snapshots = tuple(self._at_revision(item) for item in batch.snapshots)
            events = tuple(after_restore(event, self._polls.restored_at) for event in batch.events)
            written = await self._polls.record(replace(batch, snapshots=snapshots, events=events))
            self._keep(written)
            self._looks |= {state.key: state for state in batch.looks}
            self.oddities |= {drift.oddity for drift in batch.drifts}
            self._troubles |= {trouble.subject: trouble for trouble in batch.troubles}
            self._unwritten_trainings -= {snapshot.ref for snapshot in written}
            self._unwritten_looks -= {state.key for state in batch.looks}

    def note(self, snapshots: Iterable[Snapshot], look: LookState | None) -> None:
        """Know it now, write it with the next flush."""
        # A write since the decision may have counted the revision on.
        current = [self._at_revision(snapshot) for snapshot in snapshots]
        changed = [snapshot for snapshot in current if snapshot != self.training(snapshot.ref)]
        self._keep(changed)
        self._unwritten_trainings |= {snapshot.ref for snapshot in changed}
        if look is not None and look != self._looks.get(look.key):
            self._looks[look.key] = look
            self._unwritten_looks.add(look.key)

    async def flush(self) -> None:
        """Write what was noted since the last flush; what is noted during the write waits for the next one."""
        await _to_its_end(self._flush())

    async def _flush(self) -> None:
        async with self._writing:
            trainings, self._unwritten_trainings = self._unwritten_trainings, set()
            looks, self._unwritten_looks = self._unwritten_looks, set()
            try:
                await self._write(trainings, looks)
            except BaseException:
                self._unwritten_trainings |= trainings
                self._unwritten_looks |= looks
                raise

    async def _write(self, trainings: set[TrainingRef], looks: set[str]) -> None:
        if not trainings and not looks:
            return
        snapshots = tuple(snapshot for ref in trainings if (snapshot := self.training(ref)))
        states = tuple(self._looks[key] for key in looks)
        written = await self._polls.record(Batch(snapshots=snapshots, looks=states))
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
