"""Retrainings in the store: written with the events, and read from the runs of an older store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.integration.store.conftest import NOW
from tests.support.schemas import make_schema
from watcher.core.batch import Batch
from watcher.core.durations.current_run import Bounds
from watcher.core.training.absence import GoodVersion, Missing
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.cycle import Cycle
from watcher.core.updates.model import UpdateLog
from watcher.core.usability.facts import ResultState
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

MINUTE = timedelta(minutes=1)
BOUNDS = Bounds(after=NOW - MINUTE, before=NOW)
STATE = Retraining(ref=RetrainingRef("main", "s 1", "pop"), since=NOW)


async def test_a_retraining_is_read_as_it_was_written_last(database: Database) -> None:
    store = PollStore(database)
    later = replace(
        STATE,
        starts=(BOUNDS, BOUNDS),
        last_good=GoodVersion(version="v/1", ended=BOUNDS),
        reported=frozenset(Missing),
        seq=7,
        cycle=Cycle(period=360 * MINUTE, since=NOW, last_update=BOUNDS),
        result_waits=(0.0, 61.5),
    )
    await store.record(Batch(retrainings=(STATE, replace(STATE, ref=RetrainingRef("other", "s", "pop")))))
    await store.record(Batch(retrainings=(later,)))
    assert later in (await store.load()).retrainings
    assert (await store.load({"main"})).retrainings == (later,)


async def test_the_updates_and_the_result_of_a_training_are_read_as_they_were_written(database: Database) -> None:
    store = PollStore(database)
    log = UpdateLog(statuses={"u1": "completed", "u 2": "learning", "u3": "completed", "u4": "completed"})
    snapshot = Snapshot(
        ref=TrainingRef("main", "s", "pop", "v1"), status="completed", seen_after=NOW, first_seen_at=NOW
    )
    written = replace(snapshot, updates=log, result=ResultState.REPORTED)
    await store.record(Batch(snapshots=(written,)))
    (read,) = (await store.load()).snapshots
    assert (read.updates, read.result) == (log, ResultState.REPORTED)
    assert list((read.updates or log).statuses) == ["u1", "u 2", "u3", "u4"]


async def test_only_a_retraining_with_a_reported_absence_is_overdue(database: Database, path: Path) -> None:
    late = replace(STATE, ref=RetrainingRef("main", "s", "relatedItem"), reported=frozenset({Missing.START}))
    await PollStore(database).record(Batch(retrainings=(STATE, late)))
    with open_views(sqlite_url(path)) as views:
        assert views.overdue() == [late]


async def test_an_older_store_gets_its_retrainings_from_its_runs(path: Path) -> None:
    make_schema(path, "0011")
    run = (
        "INSERT INTO run (subject, seq, account, service, type, version, outcome, status, started_after, "
        "started_before, ended_after, ended_before, restored) "
        "VALUES (?, 1, 'main', 's', 'pop', ?, ?, '', ?, ?, ?, ?, 0)"
    )
    training = (
        "INSERT INTO training (subject, account, service, status, seen_after, first_seen_at, seq, announced_statuses, "
        "record, revision, run) VALUES (?, 'main', 's', 'learning', ?, ?, 1, '[]', '{}', 1, ?)"
    )
    stage = (
        "INSERT INTO stage (subject, seq, number, status, left_after, left_before) VALUES (?, 1, 0, 'learning', ?, ?)"
    )
    hours = [f"2026-11-2{day}T00:00:00.000000Z" for day in range(6)]
    current = f'{{"start":["{hours[4]}","{hours[5]}"],"stages":[["learning"]]}}'
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("INSERT INTO meta VALUES ('epoch', 'e1')")
        for version, outcome, number in (("v1", "completed", 0), ("v2", "completed", 1), ("v3", "failed", 2)):
            times = (hours[number], hours[number], hours[number], hours[number + 1])
            store.execute(run, (f"training:main/s/pop/{version}", version, outcome, *times))
            store.execute(training, (f"training:main/s/pop/{version}", hours[number], hours[number], None))
        # The first poll found v0 in progress; v5 began and ended between two polls.
        store.execute(run, ("training:main/s/pop/v0", "v0", "completed", None, None, hours[0], hours[0]))
        store.execute(stage, ("training:main/s/pop/v0", hours[0], hours[0]))
        store.execute(run, ("training:main/s/pop/v5", "v5", "failed", None, None, hours[2], hours[3]))
        store.execute(training, ("training:main/s/pop/v4", hours[4], hours[4], current))
        store.execute(training, ("training:main/s/relatedItem/v1", hours[3], hours[3], None))
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        other, pop = sorted((await PollStore(database).load()).retrainings, key=lambda item: len(item.starts))
    assert (pop.ref, pop.seq, pop.reported) == (RetrainingRef("main", "s", "pop"), 0, frozenset())
    assert [start.before.day for start in pop.starts] == [20, 21, 22, 23, 25]
    assert (pop.since.day, other.since.day) == (20, 23)
    assert pop.last_good is not None
    assert (pop.last_good.version, other.last_good) == ("v2", None)
