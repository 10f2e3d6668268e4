"""R25: every released schema is brought to this one with its data; killed in the middle, nothing has happened."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.integration.store.conftest import NOW
from watcher.store.database import open_database
from watcher.store.engines import writer_engine
from watcher.store.errors import BackupError
from watcher.store.revisions import known_revisions
from watcher.store.shelf import Shelf

OLD = sorted(known_revisions())[:-1]
NEWEST = max(known_revisions())
EVENT = (
    "evt_x",
    "training:main/s/pop/v",
    1,
    "failed",
    "{}",
    "2026-11-23T02:00:00.000000Z",
    "2026-11-23T02:00:01.000000Z",
)


def make_old(path: Path, revision: str) -> None:
    """Make a store as the version with this schema would have left it."""
    path.parent.mkdir(exist_ok=True)
    engine = writer_engine(path)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "watcher.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(path)) as filled:
        filled.execute("INSERT INTO meta VALUES ('epoch', 'e1')")
        columns = "id, subject, seq, kind, body, recorded_at, routed_at"
        filled.execute(f"INSERT INTO event ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", EVENT)  # noqa: S608 - our own
        delivery = "id, receiver, sealed, urgent, body, state, created_at"
        filled.execute(
            f"INSERT INTO delivery ({delivery}) VALUES ('msg_x', 'hook', 1, 1, x'00ff', 'delivered', ?)",  # noqa: S608
            EVENT[-1:],
        )
        filled.execute(
            "INSERT INTO ledger (event_id, receiver, delivery_id, subject, receiver_seq, ending)"
            " VALUES ('evt_x', 'hook', 'msg_x', ?, 1, 'delivered')",
            EVENT[1:2],
        )
        filled.commit()


def content(path: Path) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table that an old store has too, by the columns' names."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = ("meta", "event", "delivery", "ledger")
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in tables}  # noqa: S608


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.mark.parametrize("old", OLD)
def test_r25_an_older_store_is_migrated_with_its_data_after_a_backup(path: Path, old: str) -> None:
    make_old(path, old)
    before = content(path)
    database = open_database(path, purpose="test", now=NOW)
    database.close()
    after = content(path)
    assert (database.opening.migrated_from, database.opening.recovery, database.epoch) == (old, None, "e1")
    assert revision(path) == NEWEST
    for table, rows in before.items():
        assert [{key: new[key] for key in row} for row, new in zip(rows, after[table], strict=True)] == rows
    backup = database.opening.backup
    assert backup is not None
    assert revision(backup) == old
    assert content(backup)["event"] == before["event"]


def test_r25_a_migrated_store_opens_without_another_backup(path: Path) -> None:
    make_old(path, OLD[0])
    open_database(path, purpose="test", now=NOW).close()
    again = open_database(path, purpose="test", now=NOW + timedelta(hours=1))
    again.close()
    assert again.opening.migrated_from is None
    assert len(Shelf(path).backups()) == 1


def test_r25_without_the_backup_nothing_is_migrated(path: Path) -> None:
    make_old(path, OLD[0])
    Shelf(path).folder.write_text("in the way")
    with pytest.raises(BackupError, match="cannot make the folder"):
        open_database(path, purpose="test", now=NOW)
    assert revision(path) == OLD[0]


DIE_AT = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from sqlalchemy import Engine, event
from watcher.store.database import open_database

@event.listens_for(Engine, "before_cursor_execute")
def die(connection, cursor, statement, *rest):
    if statement.strip().startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

open_database(Path(sys.argv[1]), purpose="test", now=datetime(2026, 11, 23, 2, 0, tzinfo=UTC)).close()
print("lived")
"""
STEPS = (
    "ALTER TABLE delivery ADD COLUMN lookups",
    "CREATE TABLE receiver",
    "CREATE TABLE silence",
    "UPDATE alembic_version",
)


@pytest.mark.parametrize("statement", STEPS)
def test_r25_killed_in_mid_migration_nothing_has_happened_and_it_is_resumed(path: Path, statement: str) -> None:
    make_old(path, "0001")
    before = content(path)
    died = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", DIE_AT, str(path), statement], check=False, capture_output=True, text=True
    )
    assert (died.returncode, died.stdout) == (-9, ""), died.stderr
    assert revision(path) == "0001"
    assert content(path) == before
    database = open_database(path, purpose="test", now=NOW + timedelta(seconds=5))
    database.close()
    assert revision(path) == NEWEST
    assert (database.opening.recovery, database.epoch) == (None, "e1")


def test_the_known_schemas_are_those_that_the_migrations_make() -> None:
    config = Config()
    config.set_main_option("script_location", "watcher.store:migrations")
    script = ScriptDirectory.from_config(config)
    assert {item.revision for item in script.walk_revisions()} == known_revisions()
    assert script.get_current_head() == NEWEST
