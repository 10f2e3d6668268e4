"""R25: after the migration of an older store, pending deliveries are sent and polling continues."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.reload_scenario import FIRST, SECOND, ReloadScenario, open_scenario
from tests.support.schemas import COLUMNS, TABLES, make_schema
from watcher.store.migrations.schema_version import known_revisions

OLD = sorted(known_revisions())[:-1]


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    async with open_scenario(tmp_path) as made:
        yield made


def downgrade(store: Path, revision: str) -> None:
    """Give a store the schema of an older version, with the same rows."""
    newer = store.with_suffix(".newer")
    store.rename(newer)
    make_schema(store, revision)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("ATTACH ? AS newer", (str(newer),))
        for table in tables_of(connection, "main") - {"alembic_version", "sqlite_sequence"}:
            copy_rows(connection, table)


def copy_rows(connection: sqlite3.Connection, table: str) -> None:
    source = table if table in tables_of(connection, "newer") else TABLES[table]
    known = columns_of(connection, "newer", source)
    names = columns_of(connection, "main", table)
    sources = [name if name in known else COLUMNS[table, name] for name in names]
    statement = f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join(sources)} FROM newer.{source}"  # noqa: S608 - names from the schema
    connection.execute(statement)


def tables_of(connection: sqlite3.Connection, schema: str) -> set[str]:
    rows = connection.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table'")  # noqa: S608 - a fixed name
    return {name for (name,) in rows}


def columns_of(connection: sqlite3.Connection, schema: str, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")]


@pytest.mark.parametrize(
    "old", [pytest.param(old, marks=() if old in {OLD[0], OLD[-1]} else pytest.mark.torture) for old in OLD]
)
async def test_r25_pending_deliveries_of_an_older_store_keep_their_ids_and_polling_continues(
    scenario: ReloadScenario, old: str
) -> None:
    is_down = True
    scenario.hook.script = lambda _received: PlainTextResponse("", 503 if is_down else 200)
    async with scenario.running(scenario.text(FIRST, SECOND)):
        for status in ("learning", "completed"):
            scenario.show(status, FIRST)
            await scenario.wait_for_polls(FIRST, 3)
        await daemon_in_process.eventually(lambda: len(daemon_in_process.history(scenario.folder)) == 2)
        await daemon_in_process.eventually(lambda: len(scenario.hook.received) > 0)
    before = [announced.event for announced in daemon_in_process.history(scenario.folder)]
    downgrade(scenario.folder / "watcher.db", old)
    scenario.show("learningFailed", SECOND)
    async with scenario.running(scenario.text(FIRST, SECOND)) as daemon:
        assert daemon.database.opening.migrated_from == old
        is_down = False
        scenario.show("learning", FIRST)
        await daemon_in_process.eventually(lambda: len(daemon_in_process.history(scenario.folder)) == 4)
        await daemon_in_process.eventually(lambda: all_delivered(scenario.folder))
    assert [announced.event for announced in daemon_in_process.history(scenario.folder)][:2] == before
    assert [event["to"] for event in scenario.hook.events() if event["service"] == FIRST] == [
        "learning",
        "completed",
        "learning",
    ]
    assert scenario.broken_invariants() == []
