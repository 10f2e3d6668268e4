"""R14: thousands that die at once are given up in many short transactions, so that nobody else waits for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tests.integration.store.conftest import NOW
from tests.support.event_facts import receiver_of
from watcher.core.batch import Batch
from watcher.core.delivery.receiver_health import DEAD_LETTERS_MAX
from watcher.core.event import Event
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.store.deliveries import BURIED_MAX, Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database

MakeEvent = Callable[..., Event]
MANY: Final = 2 * BURIED_MAX + 50
LATER: Final = NOW + timedelta(days=4)


async def wait_in_vain(database: Database, make_event: MakeEvent, receiver: str) -> None:
    """Let so many deliveries wait for a receiver."""
    events: list[Event] = [make_event(number) for number in range(1, MANY + 1)]
    await PollStore(database).record(Batch(events=tuple(events)))
    plan = RoutingDecision(to=(Recipient(receiver=receiver),), reason=routed(1))
    await Outbox(database).enqueue([(event, plan) for event in events], lambda *_: b"body", NOW)


async def test_r14_what_is_too_old_is_expired_in_parts_and_announced_as_one(
    database: Database, make_event: MakeEvent
) -> None:
    await wait_in_vain(database, make_event, "hook")
    deliveries, parts = Deliveries(database), list[int]()
    while ended := await deliveries.expire("hook", LATER, LATER):
        parts.append(len(ended))
    assert parts == [BURIED_MAX, BURIED_MAX, 50]
    (announced,) = await deliveries.announce("hook", LATER)
    facts = receiver_of(announced)
    assert (facts.count, len(facts.deliveries)) == (MANY, DEAD_LETTERS_MAX)
    assert all(dead_letter.about for dead_letter in facts.deliveries)
    assert await deliveries.announce("hook", LATER) == []


async def test_r14_what_went_to_a_receiver_that_was_removed_is_expired_in_parts(
    database: Database, make_event: MakeEvent
) -> None:
    await wait_in_vain(database, make_event, "removed")
    deliveries, parts = Deliveries(database), list[int]()
    while ended := await deliveries.expire_orphans(frozenset({"hook"}), LATER, LATER):
        parts.append(len(ended))
    assert parts == [BURIED_MAX, BURIED_MAX, 50]
