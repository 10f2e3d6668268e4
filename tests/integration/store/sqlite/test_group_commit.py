"""Writes that wait together share one commit, and each keeps its own fate."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import IntegrityError

from tests.integration.store.conftest import NOW
from watcher.store.sqlite.database import Database, open_database
from watcher.store.sqlite.group_commit import LARGEST_GROUP, file_of


def insert(key: str, value: str = "value") -> Callable[[Connection], None]:
    """Return work that writes one row of ``meta``."""

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", (key, value))

    return work


def refused_after(key: str) -> Callable[[Connection], None]:
    """Return work that writes a row and then finds its decision outdated."""

    def work(connection: Connection) -> None:
        insert(key)(connection)
        raise LookupError(key)

    return work


def committed(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM meta WHERE key LIKE 'test-%' ORDER BY key")]


class Commits:
    """Counts the commits of a database."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        event.listen(database._engine, "commit", self._note)

    def _note(self, _connection: Connection) -> None:
        self.count += 1


@asynccontextmanager
async def busy_writer(database: Database) -> AsyncIterator[None]:
    """Hold the writer thread during the block, so that all writes of the block wait together."""
    entered, released = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        released.wait()

    holding = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(entered.wait)
    yield
    # The writes of the block must be in the queue before the thread goes on.
    await asyncio.sleep(0)
    released.set()
    await holding


async def together(database: Database, *works: Callable[[Connection], Any]) -> list[Any]:
    """Return the result or the error of each of these writes, which wait together."""
    async with busy_writer(database):
        writes = [asyncio.create_task(database.write(work)) for work in works]
    return await asyncio.gather(*writes, return_exceptions=True)


async def test_writes_that_wait_together_share_one_commit(database: Database, path: Path) -> None:
    commits = Commits(database)
    assert await together(database, *(insert(f"test-{number}") for number in range(9))) == [None] * 9
    assert commits.count == 2, "one for the write that held the thread, one for the nine"
    assert len(committed(path)) == 9


async def test_a_write_without_company_is_a_transaction_of_its_own(database: Database) -> None:
    commits = Commits(database)
    for number in range(3):
        await database.write(insert(f"test-{number}"))
    assert commits.count == 3


async def test_each_write_gets_its_own_result_in_the_order_of_arrival(database: Database) -> None:
    def count(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM meta WHERE key LIKE 'test-%'").scalar_one())

    assert await together(database, count, insert("test-a"), count, insert("test-b"), count) == [0, None, 1, None, 2]


async def test_a_refused_write_undoes_its_own_rows_alone(database: Database, path: Path) -> None:
    commits = Commits(database)
    first, refused, last = await together(database, insert("test-a"), refused_after("test-b"), insert("test-c"))
    assert (first, last) == (None, None)
    assert isinstance(refused, LookupError)
    assert committed(path) == ["test-a", "test-c"]
    assert commits.count == 2


async def test_a_failed_statement_fails_its_own_write_alone(database: Database, path: Path) -> None:
    first, failed, last = await together(database, insert("test-a"), insert("test-a", "again"), insert("test-c"))
    assert (first, last) == (None, None)
    assert isinstance(failed, IntegrityError)
    assert committed(path) == ["test-a", "test-c"]


async def test_after_a_failed_commit_each_write_runs_again_by_itself(database: Database, path: Path) -> None:
    runs: list[str] = []

    def noted(key: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            runs.append(key)
            insert(key)(connection)

        return work

    def break_once(connection: Connection) -> None:
        if runs == ["test-a", "test-b"]:
            raise sqlalchemy_fault()

    event.listen(database._engine, "commit", break_once)
    assert await together(database, noted("test-a"), noted("test-b")) == [None, None]
    assert runs == ["test-a", "test-b", "test-a", "test-b"]
    assert committed(path) == ["test-a", "test-b"]


def sqlalchemy_fault() -> IntegrityError:
    """Return an error as a failed commit raises it."""
    return IntegrityError("COMMIT", None, sqlite3.IntegrityError("a failed commit"))


async def test_no_write_is_reported_before_its_commit(database: Database, path: Path) -> None:
    seen: list[list[str]] = []

    async def write_and_read(key: str) -> None:
        await database.write(insert(key))
        seen.append(committed(path))

    async with busy_writer(database):
        writes = [asyncio.create_task(write_and_read(f"test-{number}")) for number in range(3)]
    await asyncio.gather(*writes)
    assert seen == [["test-0", "test-1", "test-2"]] * 3


async def test_a_write_whose_caller_is_cancelled_is_committed_in_its_turn(database: Database, path: Path) -> None:
    async with busy_writer(database):
        cancelled = asyncio.create_task(database.write(insert("test-a")))
        kept = asyncio.create_task(database.write(insert("test-b")))
        await asyncio.sleep(0)
        cancelled.cancel()
    await kept
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert committed(path) == ["test-a", "test-b"]


async def test_a_long_queue_is_committed_in_several_groups(database: Database, path: Path) -> None:
    commits = Commits(database)
    await together(database, *(insert(f"test-{number}") for number in range(2 * LARGEST_GROUP + 1)))
    assert commits.count == 1 + 3
    assert len(committed(path)) == 2 * LARGEST_GROUP + 1


async def test_closing_finishes_what_waits(path: Path) -> None:
    database = open_database(path, purpose="test", now=NOW)
    async with busy_writer(database):
        writes = [asyncio.create_task(database.write(insert(f"test-{number}"))) for number in range(5)]
    await asyncio.to_thread(database.close)
    await asyncio.gather(*writes)
    assert len(committed(path)) == 5


def ended_by_sqlite(error: Exception) -> Callable[[Connection], None]:
    """Return work in which SQLite ends the whole transaction, as it may on a full disk, before another error."""

    def work(connection: Connection) -> None:
        file_of(connection).execute("ROLLBACK")
        raise error

    return work


@pytest.mark.parametrize("error", [LookupError(), sqlite3.OperationalError("disk I/O error"), RuntimeError()])
async def test_a_transaction_that_sqlite_has_ended_fails_no_other_write(
    database: Database, path: Path, error: Exception
) -> None:
    async with asyncio.timeout(20):
        first, failed, last = await together(database, insert("test-a"), ended_by_sqlite(error), insert("test-c"))
        assert (first, failed, last) == (None, error, None)
        await database.write(insert("test-d"))
    assert committed(path) == ["test-a", "test-c", "test-d"]
