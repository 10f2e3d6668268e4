"""The one connection that writes the store, whichever database it is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from watcher.core.event import Restore

T = TypeVar("T")


class StoreWriter(Protocol):
    """Runs one transaction after another."""

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        ...

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; it commits when ``work`` returns, and rolls back when it raises."""
        ...
