"""R25: every older schema is migrated with its data; a kill during the migration changes nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.integration.store.conftest import NOW
from tests.support.schemas import COLUMNS, TABLES, make_schema
from watcher.store.errors import BackupError
from watcher.store.meta_keys import BACKUP_MADE_AT
from watcher.store.migrations.schema_version import known_revisions
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.database import open_database

OLD = sorted(known_revisions())[:-1]
NEWEST = max(known_revisions())
ROWS = 3
REWRITTEN = {("training", "run")}
"""Columns that a migration writes anew; a test of their own compares them."""


def make_old(path: Path, revision: str) -> None:
    """Make a store with this schema and rows in every table."""
    make_schema(path, revision)
    with closing(sqlite3.connect(path)) as filled, filled:
        for table in tables(filled):
            columns = filled.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()  # noqa: S608
            names, marks = ", ".join(name for name, _ in columns), ", ".join("?" * len(columns))
            rows = [[sample(kind, name, number) for name, kind in columns] for number in range(1, ROWS + 1)]
            filled.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own
        filled.execute("INSERT INTO meta VALUES ('epoch', 'e1')")


def sample(kind: str, name: str, number: int) -> object:
    """Return a value of a column that no other row has."""
    match kind:
        case "TEXT":
            return f"{name} {number}"
        case "BLOB":
            return bytes([0, 255, number])
        case _:
            return number


def tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    return [name for (name,) in connection.execute(query)]


def content(path: Path) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table, by the columns' names, apart from the mark of a backup."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = {table: rows_of(connection, table) for table in tables(connection)}
    found["meta"] = [row for row in found["meta"] if row["key"] != BACKUP_MADE_AT]
    return found


def rows_of(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - our own


def as_before(before: Mapping[str, list[dict[str, object]]], after: Mapping[str, list[dict[str, object]]]) -> bool:
    """Return whether every row is there with all its old values, under the present names."""
    kept = {
        table: [
            {key: old[key] if (table, key) in REWRITTEN else new[COLUMNS.get((table, key), key)] for key in old}
            for old, new in zip(rows, after[TABLES.get(table, table)], strict=True)
        ]
        for table, rows in before.items()
    }
    return kept == before


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
    assert as_before(before, after)
    assert all(after[table] == [] for table in after.keys() - {TABLES.get(table, table) for table in before})
    backup = database.opening.backup
    assert backup is not None
    assert revision(backup) == old
    assert content(backup) == before


def test_r25_a_migrated_store_opens_without_another_backup(path: Path) -> None:
    make_old(path, OLD[0])
    open_database(path, purpose="test", now=NOW).close()
    again = open_database(path, purpose="test", now=NOW + timedelta(hours=1))
    again.close()
    assert again.opening.migrated_from is None
    assert len(BackupFolder(path).backups()) == 1


def test_r25_without_the_backup_nothing_is_migrated(path: Path) -> None:
    make_old(path, OLD[0])
    BackupFolder(path).folder.write_text("in the way")
    with pytest.raises(BackupError, match="cannot make the folder"):
        open_database(path, purpose="test", now=NOW)
    assert revision(path) == OLD[0]


DIE_AT = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from sqlalchemy import Engine, event
from watcher.store.sqlite.database import open_database

@event.listens_for(Engine, "before_cursor_execute")
def die(connection, cursor, statement, *rest):
    if statement.strip().startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

open_database(Path(sys.argv[1]), purpose="test", now=datetime(2026, 11, 23, 2, 0, tzinfo=UTC)).close()
print("lived")
"""
STEPS = {
    "0002": (
        "ALTER TABLE delivery ADD COLUMN mention",
        "ALTER TABLE delivery ADD COLUMN lookups",
        "CREATE TABLE receiver",
    ),
    "0003": ("CREATE TABLE silence",),
    "0004": ("DROP INDEX ix_delivery_due", "CREATE INDEX ix_delivery_state"),
    "0005": (
        "ALTER TABLE look RENAME TO poll",
        "ALTER TABLE drift RENAME TO deviation",
        "ALTER TABLE training RENAME COLUMN words_told",
        "ALTER TABLE deviation RENAME COLUMN oddity",
        "ALTER TABLE deviation RENAME COLUMN look",
        "ALTER TABLE receiver RENAME COLUMN broken_since",
        "ALTER TABLE poll ADD COLUMN account",
        "ALTER TABLE incident ADD COLUMN account",
        "ALTER TABLE event ADD COLUMN account",
        "DROP INDEX ix_delivery_group",
        "CREATE INDEX ix_delivery_group",
        "UPDATE event SET kind",
    ),
    "0006": ("CREATE INDEX ix_training_status", "CREATE INDEX ix_event_recorded"),
    "0007": (
        "ALTER TABLE delivery ADD COLUMN allowed_at",
        "ALTER TABLE delivery ADD COLUMN fallback_for",
        "ALTER TABLE receiver ADD COLUMN troubled_since",
        "ALTER TABLE receiver ADD COLUMN parked",
        "UPDATE delivery SET allowed_at",
        "UPDATE receiver SET parked",
    ),
    "0008": ("ALTER TABLE training ADD COLUMN run",),
    "0009": (
        "ALTER TABLE delivery ADD COLUMN first_in_line",
        "UPDATE delivery SET first_in_line",
        "DROP INDEX ix_delivery_state",
        "CREATE INDEX ix_delivery_turn",
    ),
    "0010": ("ALTER TABLE ledger ADD COLUMN fallback_done", "CREATE INDEX ix_delivery_failed"),
    "0011": ("CREATE TABLE run", "CREATE TABLE stage", "UPDATE training SET run"),
    "0012": ("CREATE TABLE retraining",),
    "0013": ("ALTER TABLE training ADD COLUMN updates", "ALTER TABLE retraining ADD COLUMN cycle"),
    "0014": ("CREATE TABLE operator_action", "CREATE TABLE ended_session"),
    "0015": ("ALTER TABLE poll ADD COLUMN name",),
}
"""The statements that bring a store to each schema."""
LAST = "UPDATE alembic_version SET version_num='{}'"


NEW = sorted(STEPS)[-3:]
"""The schemas that CI still interrupts at each statement; the migrations to older ones do not change any more."""


def dies_in_ci(old: str, new: str, statement: str) -> bool:
    """Return whether CI kills here, rather than ``make torture`` alone."""
    if old == max(known for known in OLD if known < new):
        return new in NEW
    return old == OLD[0] and statement == LAST.format(new)


DEATHS = [
    pytest.param(old, statement, marks=() if dies_in_ci(old, new, statement) else pytest.mark.torture)
    for old in OLD
    for new, statements in STEPS.items()
    for statement in (*statements, LAST.format(new))
    if new > old
]
"""A kill at each statement of each migration; ``make torture`` has those that CI leaves out."""


def test_every_schema_has_its_statements_here() -> None:
    assert ["0001", *STEPS] == sorted(known_revisions())


@pytest.mark.parametrize(("old", "statement"), DEATHS)
def test_r25_a_kill_during_a_migration_changes_nothing_and_the_next_start_repeats_it(
    path: Path, old: str, statement: str
) -> None:
    make_old(path, old)
    before = content(path)
    died = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", DIE_AT, str(path), statement], check=False, capture_output=True, text=True
    )
    assert (died.returncode, died.stdout) == (-9, ""), died.stderr
    assert revision(path) == old
    assert content(path) == before
    database = open_database(path, purpose="test", now=NOW + timedelta(seconds=5))
    database.close()
    assert revision(path) == NEWEST
    assert (database.opening.recovery, database.epoch) == (None, "e1")
    assert as_before(before, content(path))


FACTS = {"id": "inc_1", "cause": "dns"}
OLD_EVENTS: tuple[tuple[str, str, dict[str, object], str | None], ...] = (
    ("training:ma%2Fin/s/pop/v1", "unknown-status", {"reason": "unknown-word"}, "route 1"),
    ("account:main", "reachable", {"reason": "closed", "incident": FACTS | {"kind": "reachable"}}, "route 1"),
    ("receiver:hook", "receiver-broken", {"reason": "refused-for-good"}, "1; nobody: every-other-receiver-broken"),
    ("receiver:hook", "receiver-mended", {"reason": "passes-again"}, None),
    ("receiver:hook", "undelivered", {"reason": "given-up"}, None),
    ("watcher:store", "store-trouble", {"reason": "opened", "incident": FACTS | {"kind": "store-trouble"}}, None),
    ("watcher:store", "store-mended", {"reason": "closed"}, "route 1; told-from-memory"),
    ("watch:main/s/pop/v2", "failed", {"reason": "told-from-memory"}, "told-from-memory"),
)
NEW_EVENTS = [
    ("ma/in", "unknown-status", "unknown-status", None, "route 1"),
    ("main", "recovered", "closed", "recovered", "route 1"),
    ("", "receiver-failing", "failing", None, "1; nobody: every-other-receiver-broken"),
    ("", "receiver-recovered", "recovered", None, None),
    ("", "undelivered", "expired", None, None),
    ("", "store-failing", "opened", "store-failing", None),
    ("", "store-recovered", "closed", None, "route 1; told-from-memory"),
    ("main", "failed", "told-from-memory", None, "told-from-memory"),
]
"""Account, kind, reason, the incident's kind, route. Routes stay: ``core.routing.reason`` reads the old ones, too."""


def add_old_words(store: sqlite3.Connection) -> None:
    store.execute("INSERT INTO meta VALUES ('epoch', 'e1')")
    for number, (subject, kind, body, route) in enumerate(OLD_EVENTS, start=1):
        row = (str(number), subject, number, kind, route)
        document = json.dumps({"kind": kind} | body, separators=(",", ":"))
        columns = "id, subject, seq, kind, route, body, recorded_at"
        store.execute(f"INSERT INTO event ({columns}) VALUES (?, ?, ?, ?, ?, ?, 'now')", (*row, document))  # noqa: S608
    pending = '{"status":"completed","occasion":"inc_1"}'
    names = "subject, account, service, seen_after, first_seen_at, seq, words_told, record, revision, pending"
    for subject, column in (("a", pending), ("b", None)):
        query = f"INSERT INTO training ({names}) VALUES (?, 'm', 's', '', '', 1, '[]', '{{}}', 1, ?)"  # noqa: S608 - ours
        store.execute(query, (subject, column))
    store.execute("INSERT INTO incident VALUES ('account:main', 1, '{\"good_looks\":1}'), ('service:b/s', 2, NULL)")
    for key in ("service:main/s", "joined service:b/s", "training:c/s/pop/v1"):
        store.execute("INSERT INTO look (key) VALUES (?)", (key,))
    store.execute("INSERT INTO drift VALUES ('new field: x', 'service:main/s', '', '{}')")
    for name, match in (("1", '{"kind":["reachable","failed"]}'), ("2", '{"service":["reachable"]}')):
        store.execute("INSERT INTO silence VALUES (?, ?, '', '', '', '', NULL, NULL)", (name, match))
    store.execute("INSERT INTO receiver VALUES ('hook', 1, 'then', 'http 410', '')")


def test_r25_the_words_of_an_older_store_are_translated_and_its_rows_get_their_account(path: Path) -> None:
    make_schema(path, "0004")
    with closing(sqlite3.connect(path)) as store, store:
        add_old_words(store)
    open_database(path, purpose="test", now=NOW).close()
    found = content(path)
    bodies = [json.loads(str(row["body"])) for row in found["event"]]
    assert [
        (row["account"], row["kind"], body["reason"], body.get("incident", {}).get("kind"), row["route"])
        for row, body in zip(found["event"], bodies, strict=True)
    ] == NEW_EVENTS
    assert [body["kind"] for body in bodies] == [row["kind"] for row in found["event"]]
    assert [row["pending"] for row in found["training"]] == ['{"status":"completed","catch_up_id":"inc_1"}', None]
    assert [(row["account"], row["body"]) for row in found["incident"]] == [("main", '{"good_polls":1}'), ("b", None)]
    assert {row["key"]: row["account"] for row in found["poll"]} == {
        "service:main/s": "main",
        "joined service:b/s": "b",
        "training:c/s/pop/v1": "c",
    }
    assert [(row["description"], row["poll"]) for row in found["deviation"]] == [("new field: x", "service:main/s")]
    matches = [json.loads(str(row["match"])) for row in found["silence"]]
    assert matches == [{"kind": ["recovered", "failed"]}, {"service": ["reachable"]}]
    assert [(row["failing_since"], row["parked"]) for row in found["receiver"]] == [("then", 1)]


def test_the_known_schemas_are_those_that_the_migrations_make() -> None:
    config = Config()
    config.set_main_option("script_location", "watcher.store:migrations")
    script = ScriptDirectory.from_config(config)
    assert {item.revision for item in script.walk_revisions()} == known_revisions()
    assert script.get_current_head() == NEWEST
