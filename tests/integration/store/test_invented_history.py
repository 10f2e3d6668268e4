"""An invented history in a real store."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from tests.integration.store.conftest import NOW
from watcher.core.durations.regular_starts import MOST_STARTS
from watcher.operations.invented_history import record_history
from watcher.simulator.invented.history import HistoryPlan
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database

PLAN = HistoryPlan(days=4, services=2, runs_per_day=8, seed=5)


async def test_the_store_has_the_trainings_events_and_runs_and_nothing_to_send(database: Database) -> None:
    store = PollStore(database)
    counts = await record_history(store, PLAN, "main", NOW - timedelta(days=4))
    assert len((await store.load()).snapshots) == counts.trainings == 2 * 3 * 4 * 8
    assert await Outbox(database).unrouted(10) == []
    with sqlite3.connect(database.path) as connection:
        rows = [connection.execute(f"select count(*) from {table}").fetchone()[0] for table in ("event", "run")]  # noqa: S608
        assert connection.execute("select count(*) from delivery").fetchone() == (0,)
    assert rows == [counts.events, counts.runs]


async def test_polling_goes_on_from_the_history(database: Database) -> None:
    """The snapshots that the store returns are those of a daemon that was stopped just now."""
    store = PollStore(database)
    await record_history(store, PLAN, "main", NOW - timedelta(days=4))
    saved = await store.load()
    assert all(snapshot.ref.account == "main" for snapshot in saved.snapshots)
    assert len(saved.polls) == 3
    assert len(saved.retrainings) == 2 * 3
    assert all(len(state.starts) == MOST_STARTS for state in saved.retrainings)
