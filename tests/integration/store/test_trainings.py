"""Reports read counts and the rows that they show, whatever the number of trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from tests.integration.store.conftest import NOW
from watcher.core.batch import Batch
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.store import trainings
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database
from watcher.store.trainings import Order, TrainingQuery
from watcher.store.views import Views, open_views

MakeSnapshot = Callable[..., Snapshot]
STATUSES = ("learning", "waiting", "completed", "completed", "completed", "learningFailed")
FEW = frozenset({"learning", "waiting", None})


def ref(number: int, service: str = "s") -> TrainingRef:
    return TrainingRef("main", service, "pop", f"v{number:04}")


@pytest.fixture
async def store(path: Path, make_snapshot: MakeSnapshot) -> Database:
    """Return a store with 300 trainings: 50 learn, 50 wait, 150 are completed, 50 failed."""
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        snapshots = tuple(
            make_snapshot(
                ref=ref(number, "s" if number % 2 else "t/u"),
                status=STATUSES[number % 6],
                changed_before=NOW - timedelta(minutes=number),
            )
            for number in range(300)
        )
        await PollStore(database).record(Batch(snapshots=snapshots))
    return database


@pytest.fixture
def views(store: Database) -> Iterator[Views]:
    with open_views(store.url) as opened:
        yield opened


def test_counts_are_by_service_and_status(views: Views) -> None:
    counts = {(item.service.service, item.status): item.count for item in views.training_counts()}
    assert sum(counts.values()) == 300
    assert counts["t/u", "learning"] == 50
    assert counts["s", "waiting"] == 50


@pytest.mark.parametrize(("order", "first"), [(Order.LONGEST, "v0295"), (Order.LATEST, "v0001"), (Order.NAME, "v0001")])
def test_only_the_rows_of_the_limit_are_read(views: Views, order: Order, first: str) -> None:
    rows = _rows_read(views, TrainingQuery(statuses=frozenset({"waiting"}), order=order, limit=21))
    assert (rows[0].ref.version, len(rows)) == (first, 21)


def test_a_condition_is_judged_before_rows_are_read(views: Views) -> None:
    wanted = TrainingQuery(statuses=FEW, takes=lambda training: training.service == "s", limit=5)
    assert {item.ref.service for item in _rows_read(views, wanted)} == {"s"}


def test_a_single_service_is_read_through_an_index(views: Views) -> None:
    wanted = TrainingQuery(statuses=FEW, service=ServiceRef("main", "t/u"))
    assert len(list(views.find_trainings(wanted))) == 50


async def test_trainings_that_are_gone_or_unconfirmed_are_found_on_request(
    path: Path, make_snapshot: MakeSnapshot
) -> None:
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        snapshots = (make_snapshot(ref=ref(1), gone=True), make_snapshot(ref=ref(2), status=None))
        await PollStore(database).record(Batch(snapshots=snapshots))
        with open_views(database.url) as views:
            every = frozenset({*FEW, snapshots[0].status})
            assert [item.ref for item in views.find_trainings(TrainingQuery(statuses=every))] == [ref(2)]
            assert len(list(views.find_trainings(TrainingQuery(statuses=every, gone=True)))) == 2
            assert views.one_training(ref(2)) is not None
            assert views.one_training(ref(3)) is None
            assert [item.gone for item in views.known_statuses([ref(1), ref(3)])] == [True]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT status, gone, account, service, count(*) FROM training GROUP BY status, gone, account, service",
        "SELECT subject FROM training WHERE status IN ('learning', 'waiting') AND gone = 0",
        "SELECT min(position + 0) FROM event WHERE recorded_at >= '2026'",
    ],
)
def test_the_reports_have_their_indexes(views: Views, statement: str) -> None:
    plan = " ".join(str(row) for row in views.connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")))
    assert "ix_training_status" in plan or "ix_event_recorded" in plan


def test_a_long_result_is_read_by_pages(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainings, "PAGE", 7)
    found = list(views.find_trainings(TrainingQuery(statuses=frozenset(STATUSES), order=Order.NAME)))
    assert [item.ref for item in found] == sorted((item.ref for item in found), key=lambda item: item.subject)
    assert len(found) == 300


def _rows_read(views: Views, wanted: TrainingQuery) -> list[Snapshot]:
    """Run the query; fail where it reads more rows of ``training`` than it returns."""
    lists: list[int] = []

    def note(_c: Connection, _cursor: object, statement: str, parameters: tuple[object, ...], *_: object) -> None:
        if "training.record" in statement:
            lists.append(len(parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        found = list(views.find_trainings(wanted))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert sum(lists) == len(found)
    return found
