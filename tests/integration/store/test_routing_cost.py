"""Events are routed, and attempts settled, in as many statements for many as for a few."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import GROUP, claim, enqueue
from tests.support import routing
from watcher.core import stored_events
from watcher.core.batch import Batch
from watcher.core.delivery.model import Settlement, Verdict
from watcher.core.delivery.reason import DELIVERED
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.pipeline.delivery.log import log_settled
from watcher.store import rows
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database

MakeEvent = Callable[..., Event]
FEW, MANY = 5, 20


async def statements(work: Callable[[], Awaitable[object]]) -> int:
    """Return the number of statements that the work executes; one for many rows counts once."""
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        await work()
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return counted


def changes(make_event: MakeEvent, count: int, prefix: str) -> list[Event]:
    return [make_event(1, f"{prefix}{number}") for number in range(count)]


@pytest.mark.parametrize("to", [("hook",), ("hook", "team")], ids=str)
async def test_a_plan_is_written_in_as_many_statements_for_many_events(
    database: Database, make_event: MakeEvent, to: tuple[str, ...]
) -> None:
    async def route(count: int) -> int:
        events = changes(make_event, count, f"v{count}-")
        await PollStore(database).record(Batch(events=tuple(events)))
        decision = RoutingDecision(to=tuple(Recipient(receiver=name) for name in to), reason=routed(1))
        plan = [(item, decision) for item in events]
        return await statements(lambda: routing.enqueue(Outbox(database), plan, lambda *_: b"", NOW))

    assert await route(MANY) == await route(FEW)


async def test_events_to_route_are_read_in_as_many_statements_for_many(
    database: Database, make_event: MakeEvent
) -> None:
    await PollStore(database).record(Batch(events=tuple(changes(make_event, MANY, "v"))))
    outbox = Outbox(database)
    few, many = [await statements(lambda limit=limit: outbox.unrouted(limit)) for limit in (FEW, MANY)]  # type: ignore[misc]
    assert few == many


async def test_attempts_are_leased_and_settled_in_as_many_statements_for_many(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, *changes(make_event, MANY + FEW, "v"))
    deliveries, done = (
        Deliveries(database),
        Settlement(verdict=Verdict(state=State.DELIVERED, reason=DELIVERED), at=NOW),
    )

    async def deliver(count: int) -> None:
        leased = await claim(database, limit=count, token=f"t{count}")
        assert await deliveries.settle_all([(item, done) for item in leased]) == [True] * count

    assert await statements(lambda: deliver(MANY)) == await statements(lambda: deliver(FEW))


async def test_no_event_of_a_sealed_delivery_is_read_to_lease_log_and_settle_it(
    database: Database, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(database, *changes(make_event, FEW, "v"))
    monkeypatch.setattr(stored_events, "from_json", None)
    monkeypatch.setattr(rows, "from_json", None)
    leased, decided = await claim(database, limit=FEW), Verdict(state=State.DELIVERED, reason=DELIVERED)
    for item in leased:
        log_settled("hook", item, decided, saved=True)
    done = Settlement(verdict=decided, at=NOW)
    assert await Deliveries(database).settle_all([(item, done) for item in leased]) == [True] * FEW


async def test_an_event_counts_the_events_of_its_subject_in_the_hour_before_it(
    database: Database, make_event: MakeEvent
) -> None:
    hour = timedelta(hours=1)
    times = {1: NOW - 3 * hour, 2: NOW - hour, 3: NOW - hour + SECOND, 4: NOW + 5 * hour, 5: NOW}
    kinds = {3: Kind.FAILED, 5: Kind.FAILED}
    events = [replace(make_event(seq, kind=kinds.get(seq, Kind.PROGRESS)), recorded_at=at) for seq, at in times.items()]
    other = replace(make_event(1, "v2"), recorded_at=NOW)
    await PollStore(database).record(Batch(events=(*events, other)))
    found = {(item.version, item.seq): recent for item, recent in await Outbox(database).unrouted(9)}
    # The fourth was recorded while the wall clock ran ahead.
    assert found == {("v1", 1): 1, ("v1", 2): 1, ("v1", 3): 1, ("v1", 4): 1, ("v1", 5): 2, ("v2", 1): 1}


async def test_single_events_and_groups_of_one_plan_keep_the_order_of_each_line(
    database: Database, make_event: MakeEvent
) -> None:
    def grouped(item: Event) -> Event:
        return replace(item, group=GROUP.key)

    alone, joined = Recipient(receiver="hook"), Recipient(receiver="hook", group=GROUP)
    plan = [
        (grouped(make_event(1)), joined),
        (make_event(2), alone),
        (grouped(make_event(1, "v2")), joined),
        (grouped(make_event(3)), joined),
        (make_event(2, "v2"), alone),
    ]
    await PollStore(database).record(Batch(events=tuple(item for item, _ in plan)))
    decisions = [(item, RoutingDecision(to=(to,), reason=routed(1))) for item, to in plan]
    await routing.enqueue(Outbox(database), decisions, lambda *_: b"", NOW)
    sent: list[tuple[str | None, int]] = []
    for number in range(9):
        for leased in await claim(database, limit=1, token=f"t{number}", now=NOW + timedelta(days=1)):
            sent += [(item.version, item.seq) for item in leased.request.events]
            done = Settlement(verdict=Verdict(state=State.DELIVERED, reason=DELIVERED), at=NOW)
            assert await Deliveries(database).settle(leased, done)
    for version in ("v1", "v2"):
        seqs = [seq for name, seq in sent if name == version]
        assert seqs == sorted(seqs), version
    assert len(sent) == len(plan)
