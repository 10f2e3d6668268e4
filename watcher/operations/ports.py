"""The parts of the store that the use cases call; the adapters in ``store/`` fit these Protocols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from watcher.core.action import Action
from watcher.core.batch import Batch
from watcher.core.delivery.state import State
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.silence import Silence
from watcher.core.training.model import Snapshot


class RecordStore(Protocol):
    """The store as the polling stage writes it."""

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        ...

    async def record(self, batch: Batch) -> Sequence[Snapshot]:
        """Write all of a batch or nothing; return its snapshots with their new revisions.

        Raises:
            NotSavedError: the store cannot be written for a while.
        """
        ...


class SilenceStore(Protocol):
    """The stored silences."""

    async def add(self, match: Matcher, lasts: timedelta, author: str, reason: str, now: datetime) -> Silence:
        """Store a silence that begins now."""
        ...

    async def end(self, beginning: str, by: str, now: datetime) -> Silence:
        """End the silence with this id, or with the one id that begins so.

        Raises:
            SilenceRefusedError: no silence, or several, have such an id, or the silence is over.
        """
        ...


class DeliveryChange(Protocol):
    """The effect of an operation on one delivery."""

    @property
    def id(self) -> str:
        """The delivery's id."""
        ...

    @property
    def receiver(self) -> str:
        """The name of the receiver."""
        ...

    @property
    def before(self) -> State:
        """The state before the operation."""
        ...

    @property
    def after(self) -> State:
        """The state after the operation."""
        ...


class DeliveryStore(Protocol):
    """The stored deliveries, as an operator may change them; each call changes all of them or none."""

    async def retry(self, beginnings: Iterable[str], by: str, now: datetime) -> Sequence[DeliveryChange]:
        """Make deliveries due at once, by id or by the beginning of one.

        Raises:
            DeliveryRefusedError: one of them does not exist or cannot be sent again.
        """
        ...

    async def retry_all_dead(
        self, receiver: str | None, by: str, now: datetime, limit: int | None = None
    ) -> Sequence[DeliveryChange]:
        """Make every dead letter due at once, of one receiver or of all; or the oldest ones up to a limit.

        Raises:
            DeliveryRefusedError: the receiver is not configured.
        """
        ...

    async def drop(self, beginnings: Iterable[str], by: str, now: datetime) -> Sequence[DeliveryChange]:
        """End deliveries without sending them.

        Raises:
            DeliveryRefusedError: one of them does not exist or has ended.
        """
        ...


class ActionStore(Protocol):
    """The stored actions of people."""

    async def record(self, action: Action) -> None:
        """Store an action."""
        ...


class WriteBackup(Protocol):
    """Writes a checked copy of the store."""

    def __call__(self, target: Path, now: datetime, *, force: bool) -> None:
        """Write a complete copy to ``target``, or nothing.

        Raises:
            BackupError: the target exists, or the copy cannot be made.
        """
        ...
