"""The first delivery of each line is marked, whatever changes the lines."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, delete, insert, select

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import GROUP, claim, enqueue, settle
from tests.support import routing
from tests.support.schemas import make_schema
from watcher.core.batch import Batch
from watcher.core.delivery.model import Claim, Settlement, Verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import OPEN_STATES, State
from watcher.core.event import Event, Kind
from watcher.core.routing.planning import plan_deliveries
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.pipeline.expiry import expire
from watcher.store import schema
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.lines import first_of_its_lines
from watcher.store.delivery.operator_actions import DeliveryRefusedError, OperatorActions
from watcher.store.delivery.queue import FEW
from watcher.store.epoch import new_epoch
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.sqlite.database import Database, open_database

DAY: Final = timedelta(days=1)
LATER: Final = NOW + 30 * DAY
MakeEvent = Callable[..., Event]

_table = schema.delivery.c


def wrong_marks(connection: Connection) -> list[str]:
    """Return the ids of open deliveries whose mark differs from the search through the lines."""
    states = [state.value for state in OPEN_STATES]
    query = select(_table.id, _table.first_in_line, first_of_its_lines().label("is_first"))
    rows = connection.execute(query.where(_table.state.in_(states)))
    return [row.id for row in rows if bool(row.first_in_line) != bool(row.is_first)]


def left_behind(connection: Connection) -> list[str]:
    """Return the ids of open deliveries that are not urgent although an urgent one of their lines waits for them."""
    own, other, later = schema.line.alias(), schema.line.alias(), schema.delivery.alias()
    same = (other.c.receiver == own.c.receiver) & (other.c.subject == own.c.subject)
    query = select(_table.id).join(own, own.c.position == _table.position)
    query = query.join(other, same & (other.c.position > own.c.position))
    query = query.join(later, later.c.position == other.c.position)
    return list(connection.scalars(query.where(~_table.urgent, later.c.urgent)))


class ChangingDeliveries:
    """Deliveries to two receivers, changed in every way that the program has."""

    def __init__(self, database: Database, make_event: MakeEvent, seed: int) -> None:
        self.database = database
        self._make = make_event
        self._random = random.Random(seed)  # noqa: S311 - a choice of actions
        self._seqs: dict[str, int] = {}
        self._tokens = 0

    async def step(self) -> str:
        actions = [
            self.route,
            self.route,
            self.group,
            self.send,
            self.send,
            self.join,
            self.drop,
            self.retry,
            self.expire,
        ]
        action = self._random.choice(actions)
        await action()
        return action.__name__

    def events(self, count: int) -> list[Event]:
        made = []
        for _ in range(count):
            version = f"v{self._random.randrange(4)}"
            seq = self._seqs[version] = self._seqs.get(version, 0) + 1
            made.append(self._make(seq, version, self._random.choice([Kind.PROGRESS, Kind.PROGRESS, Kind.FAILED])))
        return made

    async def route(self) -> None:
        to = self._random.choice([("hook",), ("hook", "team")])
        await enqueue(self.database, *self.events(self._random.randrange(1, 6)), to=to)

    async def group(self) -> None:
        events = [replace(event, group=GROUP.key) for event in self.events(3)]
        await enqueue(self.database, *events, group=GROUP)

    async def send(self) -> None:
        self._tokens += 1
        for leased in await claim(self.database, limit=3, token=f"t{self._tokens}", now=LATER):
            state = self._random.choice([State.DELIVERED, State.DEAD, State.PENDING, State.UNCERTAIN, State.HELD])
            waits = state in OPEN_STATES
            await settle(self.database, leased, state, next_at=NOW if waits else None)

    async def join(self) -> None:
        self._tokens += 1
        wanted = Claim(receiver="team", limit=1, token=f"b{self._tokens}", lease=DAY, batch_max=40)
        for leased in await Deliveries(self.database).claim(wanted, LATER):
            await settle(self.database, leased)

    async def drop(self) -> None:
        await self._operate(lambda actions, identity: actions.drop([identity], "mina", NOW))

    async def retry(self) -> None:
        await self._operate(lambda actions, identity: actions.retry([identity], "mina", NOW))

    async def _operate(self, action: Callable[..., object]) -> None:
        ids = await self.database.write(lambda connection: connection.scalars(select(_table.id)).all())
        if ids:
            try:
                await action(OperatorActions(self.database, {"hook", "team"}), self._random.choice(ids))  # type: ignore[misc]
            except DeliveryRefusedError:
                return

    async def expire(self) -> None:
        if self._random.random() < 0.2:
            await expire(Deliveries(self.database), "hook", NOW, LATER)


@pytest.mark.parametrize("seed", range(4))
async def test_the_marks_agree_with_the_lines_after_any_changes(
    database: Database, make_event: MakeEvent, seed: int
) -> None:
    lines, done = ChangingDeliveries(database, make_event, seed), []
    for _ in range(25):
        done.append(await lines.step())
        assert await database.write(wrong_marks) == [], done
        assert await database.write(left_behind) == [], done


async def test_the_marks_agree_after_a_restore_and_after_pruning(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(2), make_event(1, "v2"))
    await settle(database, (await claim(database, limit=1))[0])
    await database.write(lambda connection: new_epoch(connection, "restored", LATER))
    assert await database.write(wrong_marks) == []
    while await Retention(database).prune(LATER):
        pass
    assert await database.write(wrong_marks) == []
    assert [leased.request.events[0].seq for leased in await claim(database, now=LATER)] == [2, 1]


async def test_a_plan_with_several_events_of_one_line_marks_only_the_first(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1), make_event(1, "v2"), make_event(2), make_event(3))
    marked = await database.write(
        lambda c: c.execute(select(_table.first_in_line).order_by(_table.position)).scalars().all()
    )
    assert marked == [True, True, False, False]


async def test_an_event_that_joins_a_group_behind_another_of_its_training_waits_with_the_group(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1))
    await enqueue(database, replace(make_event(1, "v2"), group=GROUP.key), group=GROUP)
    await enqueue(database, replace(make_event(2), group=GROUP.key), group=GROUP)
    (alone,) = await claim(database, now=LATER)
    assert [event.version for event in alone.request.events] == ["v1"]
    await settle(database, alone)
    (group,) = await claim(database, now=LATER, token="t2")
    assert [event.version for event in group.request.events] == ["v2", "v1"]


async def test_of_attempts_that_are_settled_together_only_lost_leases_are_refused(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, *(make_event(1, f"v{number}") for number in range(3)), make_event(2, "v0"))
    deliveries = Deliveries(database)
    first, lost, last = await claim(database)
    assert await deliveries.reclaim((), NOW + DAY) == 3
    again = await claim(database, token="t2", now=NOW + DAY)
    done = Settlement(verdict=Verdict(state=State.DELIVERED, reason=text_reason("")), at=NOW + DAY)
    assert await deliveries.settle_all([(again[0], done), (lost, done), (again[2], done)]) == [True, False, True]
    left = await claim(database, token="t3", now=NOW + 2 * DAY)
    assert {leased.request.delivery_id for leased in left} >= {lost.request.delivery_id}
    assert first.request.delivery_id not in {leased.request.delivery_id for leased in left}
    assert last.request.delivery_id not in {leased.request.delivery_id for leased in left}
    assert (2, "v0") in {(leased.request.events[0].seq, leased.request.events[0].version) for leased in left}


async def test_numbers_that_were_given_meanwhile_refuse_the_whole_plan(
    database: Database, make_event: MakeEvent
) -> None:
    events = [make_event(1, f"v{number}") for number in range(3)]
    await PollStore(database).record(Batch(events=tuple(events)))
    outbox, decision = Outbox(database), RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    state = await outbox.state({"hook"}, {event.subject for event in events}, NOW)
    plan = plan_deliveries([(event, decision) for event in events], state, lambda *_: b"", NOW)
    await routing.enqueue(outbox, [(events[1], decision)], lambda *_: b"", NOW)
    with pytest.raises(Exception, match="number"):
        await outbox.enqueue(plan)
    assert len(await outbox.unrouted(9)) == 2


def test_an_older_store_gets_the_marks_by_its_migration(path: Path) -> None:
    make_schema(path, "0008")
    made = "2026-11-23T02:00:00.000000Z"
    places = [("hook", "a", 1), ("hook", "a", 2), ("hook", "b", 2), ("hook", "b", 3), ("chat", "a", 4)]
    with closing(sqlite3.connect(path)) as old, old:
        for position in range(1, 6):
            row = (position, f"msg_{position}", "hook", True, False, "pending", made, made, made)
            names = "position, id, receiver, sealed, urgent, state, created_at, next_at, allowed_at"
            old.execute(f"INSERT INTO delivery ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        old.executemany("INSERT INTO line (receiver, subject, position) VALUES (?, ?, ?)", places)
        old.execute("INSERT INTO meta VALUES ('epoch', 'e1')")
    with closing(open_database(path, purpose="test", now=NOW)) as database, database._engine.begin() as connection:
        marks = connection.execute(select(_table.first_in_line).order_by(_table.position)).scalars().all()
    assert marks == [True, False, False, True, True]


def test_a_delivery_is_inserted_as_the_first_of_its_line_by_default(database: Database) -> None:
    row = {"id": "msg_1", "receiver": "hook", "sealed": True, "urgent": False, "state": "pending", "created_at": ""}
    with database._engine.begin() as connection:
        connection.execute(insert(schema.delivery), row)
        assert connection.scalar(select(_table.first_in_line)) is True


async def test_a_delivery_that_expired_behind_another_one_is_sent_at_once_when_an_operator_retries_it(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1), make_event(2))
    (first,) = await claim(database, now=NOW)
    await routing.park(database, "hook", NOW)
    (expired,) = await expire(Deliveries(database), "hook", LATER, LATER)
    await database.write(lambda connection: connection.execute(delete(schema.receiver)))
    await OperatorActions(database, {"hook"}).retry([expired], "mina", NOW + SECOND)
    (again,) = await claim(database, token="t2", limit=1, now=NOW + SECOND)
    assert [item.request.events[0].seq for item in (first, again)] == [1, 2]


@pytest.mark.parametrize("others", [2, FEW + 2])
async def test_an_urgent_delivery_goes_first_however_many_are_due(
    database: Database, make_event: MakeEvent, others: int
) -> None:
    await enqueue(database, *(make_event(1, f"v{number}") for number in range(others)))
    await enqueue(database, make_event(1, "failed", Kind.FAILED))
    (first,) = await claim(database, limit=1)
    (second,) = await claim(database, limit=1, token="t2")
    assert [leased.request.events[0].version for leased in (first, second)] == ["failed", "v0"]
