"""The times at which uncertain deliveries are looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.unit.receivers.samples import sample_event
from watcher.core.delivery.lookup import LookupFailed, LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import DeliveryRequest, LeasedDelivery, Policy
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.messages.reasons import reason_text
from watcher.pipeline.delivery.lookup import LOOKUP_INTERVAL, LookupRunner

NOW = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = Policy()
SOON = POLICY.first_retry


@dataclass(slots=True)
class ManualClock:
    """A clock that is set by hand."""

    now: datetime = NOW

    def utc_now(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()


@dataclass(slots=True)
class Channel:
    """A receiver whose lookups all have the same result."""

    result: LookupResult = field(default_factory=MessageNotFound)
    asked: list[list[str]] = field(default_factory=list)

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        self.asked.append([request.delivery_id for request in requests])
        return {request.delivery_id: self.result for request in requests}


def uncertain(name: str, *, age: timedelta = SOON, due_in: timedelta = timedelta(), lookups: int = 0) -> LeasedDelivery:
    request = DeliveryRequest(
        delivery_id=name, events=(sample_event(),), body=None, attempted_at=NOW - age, lookups=lookups
    )
    return LeasedDelivery(
        request=request, token="t", created_at=NOW - age, allowed_at=NOW - age, due_at=NOW + due_in, in_doubt=True
    )


async def test_one_lookup_serves_all_as_soon_as_one_is_due() -> None:
    channel = Channel()
    batch = [uncertain("a"), uncertain("b", due_in=SOON, lookups=1)]
    first, second = await LookupRunner(channel, ManualClock()).look_up_uncertain(batch, POLICY)
    assert channel.asked == [["a", "b"]]
    assert (first[1].lookups, first[1].next_at) == (1, NOW + 2 * SOON)
    assert (second[1].lookups, second[1].next_at) == (1, NOW + SOON), "a lookup before its time can only find"


async def test_a_delivery_that_may_still_be_on_its_way_is_not_looked_up() -> None:
    channel = Channel()
    [(_, decided, _)] = await LookupRunner(channel, ManualClock()).look_up_uncertain(
        [uncertain("a", age=timedelta())], POLICY
    )
    assert channel.asked == []
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + SOON, 0)


async def test_lookups_keep_a_distance() -> None:
    channel, clock = Channel(), ManualClock()
    lookup_runner = LookupRunner(channel, clock)
    await lookup_runner.look_up_uncertain([uncertain("a")], POLICY)
    [(_, decided, _)] = await lookup_runner.look_up_uncertain([uncertain("b")], POLICY)
    assert len(channel.asked) == 1
    assert (decided.next_at, decided.lookups) == (NOW + LOOKUP_INTERVAL, 0)
    clock.now += LOOKUP_INTERVAL
    await lookup_runner.look_up_uncertain([uncertain("b")], POLICY)
    assert len(channel.asked) == 2


async def test_a_wait_that_the_receiver_asks_for_holds_for_every_delivery() -> None:
    channel, clock = Channel(LookupFailed(reason=text_reason("ratelimited"), after_seconds=30.0)), ManualClock()
    lookup_runner = LookupRunner(channel, clock)
    await lookup_runner.look_up_uncertain([uncertain("a")], POLICY)
    for _ in range(29):
        clock.now += timedelta(seconds=1)
        await lookup_runner.look_up_uncertain([uncertain("b")], POLICY)
    assert len(channel.asked) == 1
    clock.now += timedelta(seconds=1)
    channel.result = MessageFound(receipt="1.2")
    [(_, decided, _)] = await lookup_runner.look_up_uncertain([uncertain("b")], POLICY)
    assert decided.state is State.DELIVERED


async def test_a_crash_in_a_lookup_counts_as_a_failed_lookup() -> None:
    class Broken(Channel):
        async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
            raise RuntimeError(requests)

    [(_, decided, _)] = await LookupRunner(Broken(), ManualClock()).look_up_uncertain(
        [uncertain("a", lookups=1)], POLICY
    )
    assert (decided.state, reason_text(decided.reason), decided.lookups) == (
        State.UNCERTAIN,
        "lookup failed: internal-fault",
        1,
    )
