"""R14: thousands of deliveries that expire at once do so in many short transactions, which delay no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tests.integration.store.conftest import NOW
from tests.support import routing
from tests.support.event_facts import receiver_of
from watcher.core.batch import Batch
from watcher.core.delivery.receiver_health import DEAD_LETTERS_MAX
from watcher.core.event import Event
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.pipeline.dead_letters import announce_dead_letters
from watcher.pipeline.expiry import expire, expire_orphans
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.endings import ENDED_MAX
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database

MakeEvent = Callable[..., Event]
MANY: Final = 2 * ENDED_MAX + 50
LATER: Final = NOW + timedelta(days=4)


async def wait_in_vain(database: Database, make_event: MakeEvent, receiver: str) -> None:
    """Make ``MANY`` deliveries that wait for a receiver."""
    events: list[Event] = [make_event(number) for number in range(1, MANY + 1)]
    await PollStore(database).record(Batch(events=tuple(events)))
    plan = RoutingDecision(to=(Recipient(receiver=receiver),), reason=routed(1))
    await routing.enqueue(Outbox(database), [(event, plan) for event in events], lambda *_: b"body", NOW)


async def test_r14_old_deliveries_expire_in_batches_and_are_announced_as_one(
    database: Database, make_event: MakeEvent
) -> None:
    await wait_in_vain(database, make_event, "hook")
    await routing.park(database, "hook", NOW)
    deliveries, parts = Deliveries(database), list[int]()
    while ended := await expire(deliveries, "hook", LATER, LATER):
        parts.append(len(ended))
    assert parts == [ENDED_MAX, ENDED_MAX, 50]
    (announced,) = await announce_dead_letters(deliveries, "hook", LATER)
    facts = receiver_of(announced)
    assert (facts.count, len(facts.deliveries)) == (MANY, DEAD_LETTERS_MAX)
    assert all(dead_letter.event for dead_letter in facts.deliveries)
    assert await announce_dead_letters(deliveries, "hook", LATER) == []


async def test_r14_deliveries_to_a_removed_receiver_expire_in_batches(
    database: Database, make_event: MakeEvent
) -> None:
    await wait_in_vain(database, make_event, "removed")
    deliveries, parts = Deliveries(database), list[int]()
    while ended := await expire_orphans(deliveries, frozenset({"hook"}), LATER, LATER):
        parts.append(len(ended))
    assert parts == [ENDED_MAX, ENDED_MAX, 50]
