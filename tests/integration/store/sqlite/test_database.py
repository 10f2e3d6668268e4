"""Opening the file: create, migrate, lock and check it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from tests.integration.store.conftest import NOW
from tests.support.schemas import make_schema
from watcher.store import schema
from watcher.store.epoch import write_fact
from watcher.store.errors import StoreInUse, StoreTooNew, StoreUnusable
from watcher.store.migrations import migrate
from watcher.store.sql.write_faults import WriteFault
from watcher.store.sqlite.connections import reader_engine, writer_engine
from watcher.store.sqlite.database import Database, open_database


def test_the_migrations_make_the_tables_of_the_schema(path: Path) -> None:
    make_schema(path, "head")
    with _connection(path) as connection:
        assert list(compare_metadata(MigrationContext.configure(connection), schema.metadata)) == []


def test_a_new_store_has_the_tables_of_a_migrated_one(path: Path, tmp_path: Path) -> None:
    open_database(path, purpose="test", now=NOW).close()
    make_schema(tmp_path / "migrated.db", "head")
    assert _definitions(path) == _definitions(tmp_path / "migrated.db")


def test_alembic_takes_a_new_store_for_one_of_this_version(path: Path) -> None:
    open_database(path, purpose="test", now=NOW).close()
    before = _definitions(path)
    make_schema(path, "head")
    assert _definitions(path) == before


def test_a_file_with_tables_but_no_schema_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE event (id)")
    with _connection(path) as connection, pytest.raises(OperationalError, match="exists"):
        migrate.upgrade(connection)


@contextmanager
def _connection(path: Path) -> Iterator[Connection]:
    engine = writer_engine(path)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _definitions(path: Path) -> dict[str, object]:
    """Return the definitions of tables and indexes; a migration adds columns last, and may quote a name."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return {"versions": versions, **{name: _parts(sql or "") for name, sql in rows}}


def _parts(sql: str) -> list[str]:
    plain = " ".join(sql.replace('"', "").split())
    return sorted(part.strip(" )") for part in plain.replace("(", ",", 1).split(", "))


def test_a_store_keeps_its_epoch_and_says_whether_this_opening_made_it(path: Path) -> None:
    first = open_database(path, purpose="test", now=NOW)
    first.close()
    second = open_database(path, purpose="test", now=NOW)
    second.close()
    assert (first.created, second.created) == (True, False)
    assert first.epoch == second.epoch


def test_a_second_opening_is_refused_and_names_the_holder(path: Path, database: Database) -> None:
    with pytest.raises(StoreInUse, match=rf"process {os.getpid()} \(test, since 2026-11-23T02:00"):
        open_database(path, purpose="other", now=NOW)


def test_a_closed_store_can_be_opened_again(path: Path) -> None:
    for _ in range(2):
        open_database(path, purpose="test", now=NOW).close()


def test_commits_survive_power_loss_by_full_synchronisation(path: Path, database: Database) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_the_files_are_private(path: Path, database: Database) -> None:
    await database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE more (id)"))
    files = [path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))]
    assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0]


async def test_a_failed_transaction_writes_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(work)
    count = await database.write(lambda c: c.exec_driver_sql("SELECT count(*) FROM meta WHERE key = 'a'").scalar())
    assert count == 0


async def test_after_the_last_call_no_write_waits_for_another_process(path: Path, database: Database) -> None:
    def write(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        database.last_call(0.0)
        with pytest.raises(OperationalError):
            await database.write(write)
        # One try showed the lock; the writes behind it must not wait a second each.
        with pytest.raises(StoreUnusable, match="the next start continues"):
            await database.write(write)


def test_readers_cannot_write(path: Path, database: Database) -> None:
    scheduler = reader_engine(path)
    with scheduler.begin() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM meta")
    scheduler.dispose()


def test_garbage_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreUnusable, match="damaged or not a store"):
        open_database(path, purpose="test", now=NOW)
    assert path.read_bytes() == b"this is no database" * 1000


def test_flipped_bytes_are_refused(path: Path) -> None:
    database = open_database(path, purpose="test", now=NOW)
    database.close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match="damaged"):
        open_database(path, purpose="test", now=NOW)


def test_a_store_of_a_later_version_is_refused(path: Path) -> None:
    open_database(path, purpose="test", now=NOW).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreTooNew, match="9999"):
        open_database(path, purpose="test", now=NOW)


def test_a_refused_store_is_not_left_locked(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    for _ in range(2):
        with pytest.raises(StoreUnusable):
            open_database(path, purpose="test", now=NOW)


def test_a_missing_store_is_reported_with_a_remedy(path: Path) -> None:
    with pytest.raises(StoreUnusable, match="start the watcher once"):
        reader_engine(path).connect()


@pytest.mark.parametrize(("fault", "afterwards"), [(WriteFault.IO, WriteFault.IO), (WriteFault.LOCKED, None)])
async def test_a_transaction_without_a_change_ends_a_lock_fault_but_no_disk_fault(
    database: Database, fault: WriteFault, afterwards: WriteFault | None
) -> None:
    database._writer.failing = fault
    await database.write(lambda connection: connection.execute(select(schema.event.c.id)).all())
    assert database.failing == afterwards
    await database.write(lambda connection: write_fact(connection, "probed_at", "now"))
    assert database.failing is None
