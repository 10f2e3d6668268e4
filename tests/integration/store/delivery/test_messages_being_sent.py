"""The event about a failing receiver counts and names the messages that are just being tried."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.integration.store.conftest import NOW
from tests.integration.store.test_deliveries import MakeEvent, claim, enqueue
from watcher.core.delivery.model import LeasedDelivery, ReceiverSignal, Settlement, SignalKind, Verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.pipeline.delivery.receiver_monitor import ReceiverMonitor
from watcher.store.deliveries import Deliveries
from watcher.store.sqlite.database import Database

LATER = NOW + timedelta(minutes=1)
TIMEOUT = text_reason("no answer: timeout")
FAILS = ReceiverSignal(health=SignalKind.FAILS, reason=TIMEOUT, began_at=NOW)
REFUSES = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("http 410"))
PASSES = ReceiverSignal(health=SignalKind.PASSES)
AGAIN = Verdict(state=State.PENDING, reason=TIMEOUT, next_at=LATER)
EXPIRED = Verdict(state=State.DEAD, reason=TIMEOUT)
DELIVERED = Verdict(state=State.DELIVERED, reason=text_reason("delivered"))


async def tried(database: Database, monitor: ReceiverMonitor, leases: Sequence[LeasedDelivery]) -> None:
    """Settle first attempts that had no answer."""
    for leased in leases:
        await monitor.settle(leased, Settlement(verdict=AGAIN, at=NOW, signal=FAILS))


def facts(event: Event | None) -> tuple[int | None, list[str]]:
    """Return the number of waiting messages and the ids of the urgent events."""
    assert event is not None
    assert event.receiver is not None
    return event.receiver.waiting, [item.id for item in event.receiver.urgent]


@pytest.mark.parametrize("time", ["during an attempt", "between two attempts"])
@pytest.mark.parametrize(
    "kinds",
    [[Kind.FAILED], [Kind.FAILED] * 3, [Kind.PROGRESS], [Kind.PROGRESS, Kind.FAILED], [Kind.FAILED] * 12],
    ids=["one", "three", "none urgent", "one urgent of two", "more than are named"],
)
async def test_a_receiver_that_hangs_counts_and_names_what_is_being_tried(
    database: Database, make_event: MakeEvent, kinds: Sequence[Kind], time: str
) -> None:
    events = [make_event(1, f"v{number:02}", kind) for number, kind in enumerate(kinds)]
    monitor = ReceiverMonitor("hook", Deliveries(database), timedelta(days=3))
    await enqueue(database, *events)
    await tried(database, monitor, await claim(database))
    if time == "during an attempt":
        await claim(database, now=LATER)
    change = await monitor.declare_failing(timedelta(seconds=40), LATER)
    assert change is not None
    urgent = [event.id for event in events if event.urgent]
    assert facts(change.event) == (len(kinds), urgent[:10])


async def test_a_refusal_counts_the_other_messages_that_are_being_tried(
    database: Database, make_event: MakeEvent
) -> None:
    events = [make_event(1, version, Kind.FAILED) for version in ("v1", "v2", "v3")]
    monitor = ReceiverMonitor("hook", Deliveries(database), timedelta(days=3))
    await enqueue(database, *events)
    first, *_ = await claim(database)
    _, change = await monitor.settle(first, Settlement(verdict=AGAIN, at=NOW, signal=REFUSES))
    assert change is not None
    assert facts(change.event) == (3, [event.id for event in events])


@pytest.mark.parametrize("kind", [Kind.FAILED, Kind.PROGRESS])
async def test_a_message_that_ends_with_the_refusal_waits_no_more(
    database: Database, make_event: MakeEvent, kind: Kind
) -> None:
    ending, other = make_event(1, "v1", kind), make_event(1, "v2", Kind.FAILED)
    monitor = ReceiverMonitor("hook", Deliveries(database), timedelta(days=3))
    await enqueue(database, ending, other)
    leases = {leased.request.events[0].id: leased for leased in await claim(database)}
    settlement = Settlement(verdict=EXPIRED, at=NOW, signal=REFUSES)
    _, change = await monitor.settle(leases[ending.id], settlement)
    assert change is not None
    assert facts(change.event) == (1, [other.id])


@pytest.mark.parametrize("others", [0, 1, 2])
async def test_a_recovery_counts_the_messages_that_are_still_being_tried(
    database: Database, make_event: MakeEvent, others: int
) -> None:
    monitor = ReceiverMonitor("hook", Deliveries(database), timedelta(days=3))
    await enqueue(database, *(make_event(1, f"v{number}") for number in range(1 + others)))
    await tried(database, monitor, await claim(database))
    await monitor.declare_failing(timedelta(seconds=40), LATER)
    first, *_ = await claim(database, now=LATER)
    _, change = await monitor.settle(first, Settlement(verdict=DELIVERED, at=LATER, signal=PASSES))
    assert change is not None
    assert facts(change.event) == (others, [])
