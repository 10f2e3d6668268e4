"""Cases across several modules: removed receivers, dead letters after a restore, groups after an outage."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from sqlite3 import Cursor
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.event import listen

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import claim, enqueue, settle
from tests.support import routing
from tests.support.event_facts import receiver_of
from watcher.core.batch import Batch
from watcher.core.delivery.facts import Remedy, RemedyCode
from watcher.core.delivery.model import ReceiverSignal, Settlement, SignalKind, Verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind, Restore
from watcher.core.messages.reasons import reason_text
from watcher.core.routing.planning import OutboxState, plan_deliveries
from watcher.core.routing.reason import NotAnnounced, routed
from watcher.core.routing.routes import Group, Recipient, RoutingDecision
from watcher.pipeline.dead_letters import announce_dead_letters, note_removed
from watcher.pipeline.expiry import expire_orphans
from watcher.store import schema
from watcher.store.deliveries import Deliveries
from watcher.store.epoch import new_epoch
from watcher.store.health_stats import NOT_DELIVERED, read_health_stats
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database
from watcher.store.url import sqlite_url
from watcher.store.views import HistoryFilter, open_views


async def test_a_removed_receiver_without_deliveries_is_no_unannounced_problem(
    database: Database, path: Path, make_event: Callable[..., Event]
) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    again = Verdict(state=State.PENDING, reason=text_reason("http 410"), next_at=NOW + 60 * SECOND)
    signal = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("http 410"), answer="")
    deliveries, outbox = Deliveries(database), Outbox(database)
    await routing.settle(deliveries, "hook", leased, Settlement(verdict=again, at=NOW, signal=signal))
    ((failing, _),) = await outbox.unrouted(9)
    nobody = RoutingDecision(to=(), reason=replace(routed(1), not_announced=NotAnnounced.NO_OTHER))
    await routing.enqueue(outbox, [(failing, nobody)], lambda *_: None, NOW)
    assert read_health_stats(sqlite_url(path), NOW).unannounced == ("receiver:hook",)
    assert await note_removed(deliveries, {"renamed"}, timedelta(days=3), NOW) == [], "it counts as failing already"
    assert read_health_stats(sqlite_url(path), NOW).unannounced == ("receiver:hook",), "a delivery still waits for it"
    await expire_orphans(deliveries, frozenset({"renamed"}), NOW + SECOND, NOW)
    await note_removed(deliveries, {"renamed"}, timedelta(days=3), NOW)
    assert read_health_stats(sqlite_url(path), NOW).unannounced == ()


async def test_an_event_about_a_receiver_is_marked_after_a_restore(
    database: Database, make_event: Callable[..., Event]
) -> None:
    await enqueue(database, make_event())
    later = NOW + timedelta(days=5)
    await database.write(lambda connection: new_epoch(connection, "restored", later))
    database.opening = replace(database.opening, restore=Restore(at=later))
    deliveries = Deliveries(database)
    dead = schema.delivery.update().values(state=State.DEAD.value, next_at="2026-01-01T00:00:00.000000Z")
    await database.write(lambda connection: connection.execute(dead))
    (event,) = await announce_dead_letters(deliveries, "hook", later)
    assert event.restored


async def test_an_open_group_keeps_its_wait_when_its_receiver_recovers(
    database: Database, make_event: Callable[..., Event]
) -> None:
    event = make_event()
    group = Group(key="route 1", patience=timedelta(minutes=10))
    await PollStore(database).record(Batch(events=(event,)))
    decision = RoutingDecision(to=(Recipient(receiver="hook", group=group),), reason=routed(1))
    await routing.enqueue(Outbox(database), [(event, decision)], lambda *_: None, NOW)
    assert await Deliveries(database).wake("hook", NOW) == 0
    assert await Deliveries(database).next_due("hook") == NOW + timedelta(minutes=10)


async def test_a_delivery_without_a_body_gets_one_when_the_kind_of_its_receiver_has_changed(
    database: Database, make_event: Callable[..., Event]
) -> None:
    event = make_event()
    await PollStore(database).record(Batch(events=(event,)))
    decision = RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    await routing.enqueue(Outbox(database), [(event, decision)], lambda *_: None, NOW)
    (first,) = await claim(database)
    assert first.request.body is not None
    later = Verdict(state=State.PENDING, reason=text_reason("http 503"), next_at=NOW)
    await Deliveries(database).settle(first, Settlement(verdict=later, at=NOW))
    (second,) = await claim(database, token="t2")
    assert second.request.body == first.request.body


class DiesAfterOneWrite:
    """A store whose process dies before its second transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writes = 0

    async def write(self, work: Callable[[Connection], Any]) -> Any:
        self._writes += 1
        if self._writes > 1:
            raise InterruptedError
        return await self._database.write(work)


async def test_an_event_is_routed_with_its_deliveries_or_not_at_all(
    database: Database, path: Path, make_event: Callable[..., Event]
) -> None:
    event = make_event()
    await PollStore(database).record(Batch(events=(event,)))
    decision = RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    plan = plan_deliveries([(event, decision)], OutboxState(), lambda *_: b"body", NOW)
    dying = Outbox(DiesAfterOneWrite(database))  # type: ignore[arg-type]  # it stands for the store
    with suppress(InterruptedError):
        await dying.enqueue(plan)
    with open_views(sqlite_url(path)) as views:
        (announced,) = views.history(HistoryFilter(limit=9))
    assert announced.routed_at is not None
    assert [delivery_outcome.receiver for delivery_outcome in announced.delivery_outcomes] == ["hook"]


async def test_a_removed_receiver_is_announced_once_and_its_deliveries_are_sent_when_it_is_back(
    database: Database, make_event: Callable[..., Event]
) -> None:
    await enqueue(database, make_event())
    deliveries, outbox = Deliveries(database), Outbox(database)
    assert await note_removed(deliveries, {"renamed"}, timedelta(days=3), NOW) == ["hook"]
    assert await note_removed(deliveries, {"renamed"}, timedelta(days=3), NOW) == [], "announced once"
    ((event, _),) = await outbox.unrouted(9)
    facts = receiver_of(event)
    assert (event.kind, reason_text(facts.reason), facts.waiting) == (Kind.RECEIVER_FAILING, "receiver-removed", 1)
    assert facts.remedy == Remedy(code=RemedyCode.REMOVED)
    await deliveries.probe("hook", NOW)
    assert len(await claim(database)) == 1


async def test_the_frequent_query_of_the_queues_reads_no_delivered_rows(
    database: Database, path: Path, make_event: Callable[..., Event]
) -> None:
    await enqueue(database, make_event(1), make_event(1, "v2"))
    for leased in (await claim(database))[:1]:
        await settle(database, leased)
    read: list[str] = []
    with open_views(sqlite_url(path)) as views:

        def explain(
            _connection: object, cursor: Cursor, statement: str, parameters: tuple[str, ...], *_more: object
        ) -> None:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            # Until SQLite 3.36 the plan has the word TABLE, too.
            read.extend(row[3].replace(" TABLE ", " ") for row in cursor.fetchall())

        listen(views.connection, "before_cursor_execute", explain)
        assert [queue.count for queue in views.queues(NOT_DELIVERED)] == [1]
    counted, oldest = (line for line in read if "delivery" in line)
    # Both indexes begin with the state.
    assert re.fullmatch(r"SEARCH delivery USING COVERING INDEX ix_delivery_(state|turn) \(state=\?\)", counted)
    assert oldest == "SEARCH delivery USING INTEGER PRIMARY KEY (rowid=?)"
