"""The age by which a delivery expires, and the mark of one that was held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import ClauseElement, Connection, Engine, Table
from sqlalchemy.event import listen, remove
from sqlalchemy.sql.visitors import iterate

from tests.integration.store.conftest import NOW
from tests.integration.store.test_deliveries import MakeEvent, claim, enqueue, settle
from tests.support.routing import park
from watcher.core.delivery.model import Attempt, Dedup, Policy, Settlement, Uncertain, verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import OnUncertain, State
from watcher.core.event import Kind
from watcher.core.routing.routes import Group
from watcher.pipeline.delivery.receiver_monitor import ReceiverMonitor
from watcher.pipeline.expiry import expire
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.operator_actions import OperatorActions
from watcher.store.sqlite.database import Database


class TablesRead:
    """Collects the names of the tables that statements read."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def before_execute(self, _connection: Connection, statement: ClauseElement, *_more: object) -> None:
        self.names |= {element.name for element in iterate(statement) if isinstance(element, Table)}


@pytest.fixture
def tables_read() -> Iterator[set[str]]:
    found = TablesRead()
    listen(Engine, "before_execute", found.before_execute)
    yield found.names
    remove(Engine, "before_execute", found.before_execute)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_sweep_of_a_worker_reads_no_events_that_wait(
    database: Database, make_event: MakeEvent, tables_read: set[str], count: int
) -> None:
    await enqueue(database, *(make_event(1, f"v{number}", Kind.FAILED) for number in range(count)))
    store = Deliveries(database)
    tables_read.clear()
    assert await expire(store, "hook", NOW - timedelta(days=3), NOW) == []
    assert tables_read == {"delivery", "receiver"}


async def test_a_worker_that_asks_whether_its_receiver_is_parked_reads_the_receiver_alone(
    database: Database, make_event: MakeEvent, tables_read: set[str]
) -> None:
    await enqueue(database, make_event(1, kind=Kind.FAILED))
    await park(database, "hook", NOW)
    tables_read.clear()
    assert await ReceiverMonitor("hook", Deliveries(database), timedelta(days=3)).is_parked()
    assert tables_read == {"receiver"}


@pytest.mark.parametrize("patience", [timedelta(seconds=31), timedelta(minutes=10), timedelta(hours=1)])
async def test_a_group_does_not_expire_for_its_own_wait(
    database: Database, make_event: MakeEvent, patience: timedelta
) -> None:
    group, limit = Group(key="digest", patience=patience), timedelta(seconds=30)
    await enqueue(database, make_event(1), group=group)
    store = Deliveries(database)
    for now in (NOW + limit, NOW + patience, NOW + patience + limit):
        assert await expire(store, "hook", now - limit, now) == []
    late = NOW + patience + timedelta(hours=2)
    (leased,) = await claim(database, now=late)
    assert leased.allowed_at == late
    await settle(database, leased, State.PENDING, next_at=late)
    assert await expire(store, "hook", late + timedelta(seconds=29) - limit, late) == []
    assert len(await expire(store, "hook", late, late + limit)) == 1


async def test_while_a_receiver_is_parked_a_group_expires_from_the_end_of_its_wait(
    database: Database, make_event: MakeEvent
) -> None:
    group, limit = Group(key="digest", patience=timedelta(minutes=10)), timedelta(seconds=30)
    await enqueue(database, make_event(1), group=group)
    await park(database, "hook", NOW)
    store, end = Deliveries(database), NOW + group.patience
    assert await expire(store, "hook", end - timedelta(seconds=1), end) == []
    assert len(await expire(store, "hook", end, end + limit)) == 1


@pytest.mark.parametrize("first", ["group", "sent", "untried"])
async def test_what_waits_for_a_failing_receiver_expires_at_the_time_of_the_summary(
    database: Database, make_event: MakeEvent, first: str
) -> None:
    store = Deliveries(database)
    assert (await store.receiver_summary("hook")).oldest_allowed_at is None
    group = Group(key="digest", patience=timedelta(minutes=10)) if first == "group" else None
    await enqueue(database, make_event(1), group=group)
    if first == "sent":
        (leased,) = await claim(database, now=NOW + timedelta(seconds=5))
        assert (await store.receiver_summary("hook")).oldest_allowed_at == NOW + timedelta(seconds=5)
        await settle(database, leased, State.PENDING, next_at=NOW + timedelta(minutes=1))
    expected = {"group": timedelta(minutes=10), "sent": timedelta(seconds=5), "untried": timedelta(0)}[first]
    assert (await store.receiver_summary("hook")).oldest_allowed_at == NOW + expected
    await park(database, "hook", NOW)
    late = NOW + timedelta(days=1)
    assert await expire(store, "hook", NOW + expected - timedelta(microseconds=1), late) == []
    assert len(await expire(store, "hook", NOW + expected, late)) == 1


async def test_a_held_message_that_is_sent_again_may_be_a_repeat(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1))
    (leased,) = await claim(database)
    attempt = Attempt(number=1, allowed_at=NOW, dedup=Dedup.UNKNOWN)
    held = verdict(Uncertain(reason=text_reason("reset")), attempt, Policy(on_uncertain=OnUncertain.HOLD), NOW, 0.5)
    assert await Deliveries(database).settle(leased, Settlement(verdict=held, at=NOW))
    await OperatorActions(database, {"hook"}).retry([leased.request.delivery_id], "mina", NOW)
    (again,) = await claim(database, token="t2")
    assert again.request.may_be_repeat
