"""Write through one thread: the pieces of work that wait together share one transaction and one commit.

A commit that survives a power loss waits for the disk, so that many small ones cost far more than their rows. Each
piece has a savepoint: a piece that fails undoes its own changes alone. Where the transaction itself fails, nothing is
left of it, and each piece runs again in a transaction of its own: work may run more than once, but is committed once.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from watcher.store.errors import StoreUnusable
from watcher.store.sql.write_faults import WriteFault, fault_of
from watcher.store.sqlite.disk_reserve import Reserve

T = TypeVar("T")

LARGEST_GROUP: Final = 100
"""Pieces of one transaction, so that the first one does not wait for all that arrive meanwhile."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work, with the wait of its caller."""

    work: Callable[[Connection], Any]
    until: float
    """The monotonic time until which it is repeated while another process holds the file."""
    outcome: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """The result of a piece, which counts from the commit on."""

    result: Any = None
    error: Exception | None = None

    def report(self, piece: Piece) -> None:
        """Wake the caller of the piece."""
        if self.error is None:
            piece.outcome.set_result(self.result)
        else:
            piece.outcome.set_exception(self.error)


class GroupCommit:
    """The writer thread.

    Args:
        engine: the engine of the one writing connection.
        reserve: disk space that is released where the disk is full.
    """

    def __init__(self, engine: Engine, reserve: Reserve) -> None:
        self.failing: WriteFault | None = None
        """The cause of the latest failed write, until a write succeeds."""
        self._engine = engine
        self._reserve = reserve
        self._closing_at = math.inf
        self._waiting: deque[Piece] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")

    async def write(self, work: Callable[[Connection], T], patience_seconds: float) -> T:
        """Run ``work`` in a transaction; it is committed when this returns, and undone when this raises.

        Args:
            work: may run more than once; only the last run counts.
            patience_seconds: the longest wait for another process to release the file, with the wait in the queue.
        """
        piece = Piece(work, time.monotonic() + patience_seconds)
        # In this order: a run that takes the others ends only once it finds nothing, so it takes this one, too.
        self._waiting.append(piece)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().run_in_executor(self._thread, self._run_waiting)
        # Shielded: when the caller is cancelled, the transaction still ends, and later writes follow it.
        return cast("T", await asyncio.shield(asyncio.wrap_future(piece.outcome)))

    def last_call(self, seconds: float) -> None:
        """Limit all waits for another process to so many seconds from now: the program is about to end."""
        self._closing_at = time.monotonic() + seconds

    def close(self) -> None:
        """Finish what waits."""
        self._thread.shutdown(wait=True)

    def _run_waiting(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), LARGEST_GROUP)
            self._run_group([piece for piece in (self._waiting.popleft() for _ in range(count)) if _begin(piece)])

    def _run_group(self, pieces: Sequence[Piece]) -> None:
        if len(pieces) > 1 and self._run_together(pieces):
            return
        for piece in pieces:
            self._run_alone(piece).report(piece)

    def _run_together(self, pieces: Sequence[Piece]) -> bool:
        """Return whether the pieces are committed; if not, nothing of them is left."""
        try:
            outcomes, wrote = self._transact(lambda connection: [_in_savepoint(connection, piece) for piece in pieces])
        except Exception:  # noqa: BLE001 - each piece meets its own error again when it runs alone
            # SQLite may have ended the transaction, so that no savepoint is left to return to.
            return False
        self._note_success(wrote=wrote)
        # Only now: a piece that failed may have read rows of another one that were not committed yet.
        for piece, outcome in zip(pieces, outcomes, strict=True):
            outcome.report(piece)
        return True

    def _run_alone(self, piece: Piece) -> WriteOutcome:
        try:
            return WriteOutcome(result=self._repeat(piece))
        except Exception as error:  # noqa: BLE001 - the caller gets it
            return WriteOutcome(error=error)

    def _repeat(self, piece: Piece) -> object:
        """Repeat the transaction where that can help; a failed one has left nothing."""
        if self.failing is WriteFault.LOCKED and time.monotonic() >= self._closing_at:
            raise StoreUnusable("another process still holds the store; the next start continues")
        while True:
            try:
                result, wrote = self._transact(piece.work)
            except DBAPIError as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                self.failing = fault
                if not self._may_repeat(fault, piece.until):
                    raise
            else:
                self._note_success(wrote=wrote)
                return result

    def _may_repeat(self, fault: WriteFault, until: float) -> bool:
        if fault is WriteFault.FULL:
            return self._reserve.release()
        return fault is WriteFault.LOCKED and time.monotonic() < min(until, self._closing_at)

    def _note_success(self, *, wrote: bool) -> None:
        if wrote or self.failing is WriteFault.LOCKED:
            # A transaction without a change proves that no process holds the file, and nothing of the disk.
            self.failing = None

    def _transact(self, work: Callable[[Connection], T]) -> tuple[T, bool]:
        """Return the result of the work, and whether it changed a row."""
        with self._engine.begin() as connection:
            before = file_of(connection).total_changes
            result = work(connection)
            return result, file_of(connection).total_changes != before


def file_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection."""
    return connection.connection.driver_connection  # type: ignore[return-value]  # it is SQLite's


def _begin(piece: Piece) -> bool:
    """Return whether the caller still wants the piece; from now on it cannot be cancelled."""
    return piece.outcome.set_running_or_notify_cancel()


def _in_savepoint(connection: Connection, piece: Piece) -> WriteOutcome:
    """Run a piece within the transaction of its group.

    Raises:
        DBAPIError: a statement failed; the group must end.
        sqlite3.Error: SQLite has ended the transaction; the group must end.
    """
    file = file_of(connection)
    file.execute("SAVEPOINT piece")
    try:
        outcome = WriteOutcome(result=piece.work(connection))
    except (DBAPIError, sqlite3.Error):
        raise
    except Exception as error:  # noqa: BLE001 - the caller gets it
        file.execute("ROLLBACK TO piece")
        outcome = WriteOutcome(error=error)
    file.execute("RELEASE piece")
    return outcome
