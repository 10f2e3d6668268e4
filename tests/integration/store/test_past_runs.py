"""Runs and stages in the store: written with the event of their end, and read from the events of an older store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from tests.integration.store.conftest import NOW
from tests.support.runs import DAY, FIRST_END, ended_run
from tests.support.schemas import make_schema
from watcher.core.batch import Batch, NotSavedError
from watcher.core.durations.current_run import Bounds, CurrentRun, LearnedLimits, RunStart, Stage, StuckReport
from watcher.core.durations.past_runs import Outcome
from watcher.core.durations.stuck_limit import StuckLimit
from watcher.core.event import Event, Kind, event_id
from watcher.core.training.earlier_runs import RunGroup, RunsWanted
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.run import EndedRun, EndedStage
from watcher.store import schema
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.rows import event_row
from watcher.store.runs.rows import read_run_row, read_stage_row
from watcher.store.sqlite.database import Database, open_database

MINUTE = timedelta(minutes=1)
EVERYTHING = RunsWanted(failed=True, streak=True, stages=frozenset({"learning", "waiting"}))


async def kept_runs(database: Database) -> list[EndedRun]:
    return await database.write(_kept_runs)


def _kept_runs(connection: Connection) -> list[EndedRun]:
    stages: dict[tuple[str, int], list[EndedStage]] = {}
    for row in connection.execute(select(schema.stage).order_by(schema.stage.c.number)).mappings():
        stages.setdefault((row["subject"], row["seq"]), []).append(read_stage_row(row))
    rows = connection.execute(select(schema.run).order_by(schema.run.c.ended_before)).mappings()
    return [read_run_row(row, tuple(stages.get((row["subject"], row["seq"]), ()))) for row in rows]


async def test_a_run_and_its_stages_are_read_as_they_were_written(database: Database) -> None:
    runs = (ended_run(1), ended_run(2, outcome=Outcome.FAILED), replace(ended_run(3), start=None, stages=(), hpo=None))
    await PollStore(database).record(Batch(runs=runs))
    assert await kept_runs(database) == list(runs)


async def test_a_run_is_written_with_its_event_or_not_at_all(
    database: Database, make_event: Callable[..., Event]
) -> None:
    store = PollStore(database)
    await store.record(Batch(events=(make_event(),)))
    with pytest.raises(IntegrityError):
        await store.record(Batch(events=(make_event(),), runs=(ended_run(1),)))
    assert await kept_runs(database) == []


async def test_a_run_in_progress_is_read_as_it_was_written(
    database: Database, make_snapshot: Callable[..., Snapshot]
) -> None:
    bounds = Bounds(after=NOW, before=NOW + MINUTE)
    start = RunStart(started_after=NOW, started_before=NOW + MINUTE)
    stages = (Stage(status="waiting", entered=None), Stage(status="학습", entered=bounds))
    hanging = CurrentRun(
        start=start,
        stages=stages,
        limits=LearnedLimits(stage=None, run=StuckLimit(first=90 * MINUTE, runs=8), expected_end=NOW),
        stage_level=1,
        run_level=2,
        unpolled_in_stage=MINUTE,
        unpolled_in_run=2 * MINUTE,
        report=StuckReport(first_at=NOW, level=1, whole_run=False),
    )
    runs = [hanging, CurrentRun(start=None, stages=stages[:1], limits=LearnedLimits()), None]
    snapshots = [make_snapshot(f"v{number}", run=run) for number, run in enumerate(runs)]
    await PollStore(database).record(Batch(snapshots=tuple(snapshots)))
    loaded = {item.ref.version: item.run for item in (await PollStore(database).load()).snapshots}
    assert [loaded[f"v{number}"] for number in range(3)] == runs


async def test_the_earlier_runs_of_a_group_are_those_that_teach_with_their_streak(database: Database) -> None:
    store = PollStore(database)
    runs = [ended_run(number) for number in range(4)]
    runs += [ended_run(4, width=DAY), replace(ended_run(5), restored=True), replace(ended_run(6), hpo=True)]
    runs += [ended_run(number, outcome=Outcome.FAILED) for number in (7, 8)]
    runs += [replace(ended_run(9, 20), ref=TrainingRef("main", "other", "pop", "v9"))]
    await store.record(Batch(runs=tuple(runs)))
    group = RunGroup("main", "s", "pop", hpo=False)
    found = (await store.earlier_runs({group: EVERYTHING}, FIRST_END + 9 * DAY))[group]
    assert [past.duration for past in found.completed] == [50 * MINUTE] * 4
    assert [past.duration for past in found.completed_in_account] == [50 * MINUTE] * 5 + [20 * MINUTE]
    assert [past.duration for past in found.stages["waiting"]] == [5 * MINUTE] * 4
    assert [past.duration for past in found.stages["learning"]] == [45 * MINUTE] * 4
    assert (len(found.failed), found.failures, found.successes) == (2, 2, 0)
    assert found.last_good is not None
    assert found.last_failed is not None
    assert (found.last_good.version, found.last_failed.version) == ("v6", "v8")
    half_a_year_later = (await store.earlier_runs({group: EVERYTHING}, FIRST_END + 183 * DAY))[group]
    assert [past.ended_at for past in half_a_year_later.completed] == [FIRST_END + 3 * DAY]


async def test_a_version_that_the_first_poll_found_completed_is_the_last_good_one_until_a_run_completes(
    database: Database,
) -> None:
    store, created = PollStore(database), ("2026-11-01T09:00:00", "2026-11-03T09:00:00", "2099-01-01T00:00:00", None)
    snapshots = [
        Snapshot(
            ref=TrainingRef("main", "s", "pop" if number < 4 else "relatedItem", f"old{number}"),
            status="completed" if number != 2 else "learningFailed",
            seen_after=NOW,
            first_seen_at=NOW,
            record={"createdDate": created[number % 4], "hpConfig": {"item_top_n": number}},
        )
        for number in range(8)
    ]
    await store.record(Batch(snapshots=tuple(snapshots)))
    # The records of other types are not read.
    others = update(schema.training).where(schema.training.c.subject.contains("relatedItem")).values(record="{")
    await database.write(lambda connection: connection.execute(others).rowcount)
    group = RunGroup("main", "s", "pop", hpo=None)
    good = (await store.earlier_runs({group: EVERYTHING}, NOW))[group].last_good
    assert good is not None
    assert (good.version, good.config) == ("old1", {"item_top_n": 1})
    await store.record(Batch(runs=(ended_run(1),)))
    later = (await store.earlier_runs({group: EVERYTHING}, NOW))[group].last_good
    assert later is not None
    assert later.version == "v1"


class FailingWriter:
    """A store whose transactions fail with one of SQLite's result codes."""

    def __init__(self, code: int) -> None:
        self._code = code

    async def write(self, _work: Callable[..., object]) -> object:
        error = sqlite3.OperationalError()
        error.sqlite_errorcode = self._code
        raise OperationalError("BEGIN", {}, error)


@pytest.mark.parametrize(
    ("code", "error"), [(sqlite3.SQLITE_BUSY, NotSavedError), (sqlite3.SQLITE_CORRUPT, OperationalError)]
)
async def test_a_locked_store_can_be_asked_for_earlier_runs_again(code: int, error: type[Exception]) -> None:
    store = PollStore(FailingWriter(code))  # type: ignore[arg-type]  # only this method is called
    with pytest.raises(error):
        await store.earlier_runs({RunGroup("main", "s", "pop", hpo=None): EVERYTHING}, NOW)


async def test_old_runs_are_pruned_with_their_stages_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.store.retention.BATCH", 2)
    await PollStore(database).record(Batch(runs=tuple(ended_run(number) for number in range(5))))
    retention, before = Retention(database), FIRST_END + 2.5 * DAY
    assert [await retention.prune_runs(before) for _ in range(3)] == [2, 1, 0]
    assert [run.ref.version for run in await kept_runs(database)] == ["v3", "v4"]


def events(version: str, *statuses: str) -> list[Event]:
    ref = TrainingRef("main", "s", "pop", version)
    return [
        Event(
            id=event_id("e1", ref.subject, seq),
            kind=Kind.FAILED if status.endswith("Failed") else Kind.PROGRESS,
            subject=ref.subject,
            seq=seq,
            reason="moved-forward",
            account=ref.account,
            service=ref.service,
            training_type=ref.type,
            version=ref.version,
            from_status=statuses[seq - 2] if seq > 1 else None,
            to_status=status,
            after=NOW + seq * MINUTE,
            before=NOW + seq * MINUTE + timedelta(seconds=5),
            recorded_at=NOW + seq * MINUTE,
            record={"hpConfig": {"is_enabled": True}},
        )
        for seq, status in enumerate(statuses, start=1)
    ]


async def test_an_older_store_gets_its_runs_from_its_events(path: Path) -> None:
    make_schema(path, "0010")
    known = [*events("v1", "requesting", "learning", "learningFailed"), *events("v2", "waiting", "learning")]
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("INSERT INTO meta VALUES ('epoch', 'e1')")
        for event in known:
            row = event_row(event)
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            store.execute(f"INSERT INTO event ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 - ours
        odd = "INSERT INTO event (id, subject, seq, kind, body, recorded_at) VALUES ('odd', ?, 9, 'gone', '{}', '')"
        store.execute(odd, (known[0].subject,))
        old_run = '{"started_after":"2026-11-22T00:00:00.000000Z","started_before":"2026-11-22T00:01:00.000000Z"}'
        for subject, status, run in (
            (known[0].subject, "learningFailed", None),
            (known[-1].subject, "learning", None),
            ("training:main/s/pop/v3", "waiting", old_run),
        ):
            store.execute(
                "INSERT INTO training (subject, account, service, status, seen_after, first_seen_at, seq, "
                "announced_statuses, record, revision, run) VALUES (?, 'main', 's', ?, ?, ?, 3, '[]', '{}', 1, ?)",
                (subject, status, "2026-11-22T00:00:00.000000Z", "2026-11-22T00:00:00.000000Z", run),
            )
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        (ended,) = await kept_runs(database)
        loaded = {item.ref.version: item.run for item in (await PollStore(database).load()).snapshots}
    assert (ended.ref.version, ended.outcome, ended.hpo) == ("v1", Outcome.FAILED, True)
    assert [item.status for item in ended.stages] == ["requesting", "learning"]
    current, other = loaded["v2"], loaded["v3"]
    assert current is not None
    assert other is not None
    assert [stage.status for stage in current.stages] == ["waiting", "learning"]
    assert (current.start is not None, loaded["v1"]) == (True, None)
    assert (other.start is not None, other.stages) == (True, (Stage(status="waiting", entered=None),))
