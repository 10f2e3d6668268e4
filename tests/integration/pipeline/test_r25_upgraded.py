"""R25: what an older version has left undone, a store that was brought up to date goes on with."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.reload_scenario import FIRST, SECOND, ReloadScenario, staged
from tests.support.schemas import COLUMNS, TABLES, make_schema
from watcher.store.schema_version import known_revisions

OLD = sorted(known_revisions())[:-1]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    async with staged(tmp_path) as made:
        yield made


def bring_back(store: Path, revision: str) -> None:
    """Let a store be one as the version with this schema would have left it, with the same rows."""
    newer = store.with_suffix(".newer")
    store.rename(newer)
    make_schema(store, revision)
    with closing(sqlite3.connect(store)) as old, old:
        old.execute("ATTACH ? AS newer", (str(newer),))
        tables = old.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table not in {"alembic_version", "sqlite_sequence"}:
                columns = [row[1] for row in old.execute(f"PRAGMA main.table_info({table})")]
                found = ", ".join(COLUMNS.get((table, name), name) for name in columns)
                into, newer_table = f"{table} ({', '.join(columns)})", TABLES.get(table, table)
                old.execute(f"INSERT INTO main.{into} SELECT {found} FROM newer.{newer_table}")  # noqa: S608 - ours


@pytest.mark.parametrize("old", OLD)
async def test_r25_what_waited_in_an_older_store_goes_out_under_its_ids_and_polling_goes_on(
    scene: ReloadScenario, old: str
) -> None:
    away = True
    scene.hook.script = lambda _received: PlainTextResponse("", 503 if away else 200)
    async with scene.running(scene.text(FIRST, SECOND)):
        for word in ("learning", "completed"):
            scene.show(word, FIRST)
            await scene.polled(FIRST, 3)
        await daemon_in_process.eventually(lambda: len(daemon_in_process.history(scene.folder)) == 2)
        await daemon_in_process.eventually(lambda: len(scene.hook.received) > 0)
    before = [announced.event for announced in daemon_in_process.history(scene.folder)]
    bring_back(scene.folder / "watcher.db", old)
    scene.show("learningFailed", SECOND)
    async with scene.running(scene.text(FIRST, SECOND)) as daemon:
        assert daemon.database.opening.migrated_from == old
        away = False
        scene.show("learning", FIRST)
        await daemon_in_process.eventually(lambda: len(daemon_in_process.history(scene.folder)) == 4)
        await daemon_in_process.eventually(lambda: all_delivered(scene.folder))
    assert [announced.event for announced in daemon_in_process.history(scene.folder)][:2] == before
    assert [event["to"] for event in scene.hook.events() if event["service"] == FIRST] == [
        "learning",
        "completed",
        "learning",
    ]
    assert scene.broken_invariants() == []
