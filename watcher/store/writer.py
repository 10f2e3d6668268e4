"""The one connection that writes the store, whichever database it is in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class StoreWriter(Protocol):
    """Runs one transaction after another."""

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        ...

    @property
    def restored_at(self) -> datetime | None:
        """The time at which the store was restored from a backup, if it ever was."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; it commits when ``work`` returns, and rolls back when it raises."""
        ...
