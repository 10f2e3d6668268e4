"""The interfaces that the stages call; the adapters fit them without importing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from watcher.core.batch import Batch, SavedState
from watcher.core.event import Restore
from watcher.core.polling.result import PollFailure, PollOutcome, UnreadableRecord
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.updates.result import ScheduleResult, UpdateList


class Clock(Protocol):
    """The machine's clocks."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step, from an arbitrary zero."""
        ...


class ServiceInfo(Protocol):
    """One service in the list of an account."""

    @property
    def ref(self) -> ServiceRef:
        """The account and the id."""
        ...

    @property
    def name(self) -> str | None:
        """The name that its owner gave it."""
        ...


class ServicesResult(Protocol):
    """The services of an account."""

    @property
    def services(self) -> Sequence[ServiceInfo]:
        """The services, in the order of the list."""
        ...

    @property
    def asked_at(self) -> datetime:
        """The start of the request, UTC."""
        ...

    @property
    def answered_at(self) -> datetime:
        """The end of the response, UTC."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of the response."""
        ...

    @property
    def deviations(self) -> tuple[str, ...]:
        """Differences from the documents that are no failure."""
        ...

    @property
    def unreadable(self) -> tuple[UnreadableRecord, ...]:
        """Records of the list that are left out; ``hidden_by`` says which services they may stand for."""
        ...

    @property
    def server_date(self) -> datetime | None:
        """The ``Date`` of the response, if there was one."""
        ...


class Api(Protocol):
    """One account of AiTEMS; a failure is a value and no exception."""

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollOutcome:
        """View one training; with ``first``, the budget serves it before scheduled polls."""
        ...

    async def list(self, service: ServiceRef) -> PollOutcome:
        """List the trainings of a service."""
        ...

    async def services(self, *, first: bool = False) -> ServicesResult | PollFailure:
        """List the services of the account; with ``first``, before scheduled polls."""
        ...


class ServiceApi(Protocol):
    """The calls of one account about interval services; a failure is a value and no exception."""

    async def schedule(self, ref: ServiceRef) -> ScheduleResult | PollFailure:
        """View the schedule of a service."""
        ...

    async def updates(self, ref: TrainingRef) -> UpdateList | PollFailure:
        """List the updates of a version."""
        ...


class PollStore(Protocol):
    """The store as the polling stage uses it."""

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        ...

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        ...

    async def load(self) -> SavedState:
        """Return everything that is remembered."""
        ...

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Write all of a batch or nothing; return its snapshots with their new revisions.

        Raises:
            NotSavedError: the store cannot be written for a while.
        """
        ...


class PollingStore(PollStore, Protocol):
    """The same with the recorded runs."""

    async def earlier_runs(
        self, wanted: Mapping[RunGroup, RunsWanted], now: datetime
    ) -> Mapping[RunGroup, EarlierRuns]:
        """Return the earlier runs of groups, as far as they are wanted.

        Raises:
            NotSavedError: the store can neither be read nor written for a while.
        """
        ...


class Retention(Protocol):
    """The store as history pruning uses it."""

    async def prune(self, before: datetime) -> int:
        """Delete a batch of ended history older than this; return the number of events, 0 at the end."""
        ...

    async def prune_runs(self, before: datetime) -> int:
        """Delete a batch of runs that ended before this; return their number, 0 at the end."""
        ...


class WriteHealth(Protocol):
    """Whether the store can be written."""

    async def until_write(self, at_most_seconds: float) -> bool:
        """Wait for a write, at most this long, and return whether there is one; do not wait while one fails."""
        ...

    async def fault(self, now: float) -> str | None:
        """Return the cause that keeps the store from being written, if any; ``now`` in monotonic seconds."""
        ...

    async def free_bytes(self) -> int:
        """Return the free space on the store's disk, in bytes."""
        ...

    async def recovered(self, now: datetime) -> bool:
        """Try whether the store can be written again."""
        ...


class Polling(Protocol):
    """The polling stage, as a stage sees it that pauses it."""

    def pause(self) -> None:
        """Start no more polls."""
        ...

    def resume(self) -> None:
        """Poll again."""
        ...


class DailyBackup(Protocol):
    """The automatic backups of the store."""

    async def make_due(self, now: datetime) -> str | None:
        """Make a backup if the newest is a day old; return its file, and raise when it cannot be made."""
        ...

    async def prune(self, now: datetime) -> int:
        """Remove backups older than a week; return their number."""
        ...
