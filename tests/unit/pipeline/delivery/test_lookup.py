"""When a receiver is asked about what is in doubt, and when it is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.unit.receivers.samples import sample_event
from watcher.core.delivery.lookup import LookupFailed, LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import DeliveryRequest, LeasedDelivery, Policy, State
from watcher.pipeline.delivery.lookup import REST, LookupRunner

NOW = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = Policy()
SOON = POLICY.first_retry


@dataclass(slots=True)
class Hands:
    """A clock that is set by hand."""

    now: datetime = NOW

    def utc_now(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()


@dataclass(slots=True)
class Channel:
    """A receiver that finds nothing, or what it is told to."""

    result: LookupResult = field(default_factory=MessageNotFound)
    asked: list[list[str]] = field(default_factory=list)

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        self.asked.append([request.delivery_id for request in requests])
        return {request.delivery_id: self.result for request in requests}


def doubtful(name: str, *, age: timedelta = SOON, due_in: timedelta = timedelta(), lookups: int = 0) -> LeasedDelivery:
    request = DeliveryRequest(
        delivery_id=name, events=(sample_event(),), body=None, attempted_at=NOW - age, lookups=lookups
    )
    return LeasedDelivery(request=request, token="t", created_at=NOW - age, due_at=NOW + due_in, in_doubt=True)


async def test_one_question_serves_all_as_soon_as_one_is_due() -> None:
    channel = Channel()
    batch = [doubtful("a"), doubtful("b", due_in=SOON, lookups=1)]
    first, second = await LookupRunner(channel, Hands()).look_up_uncertain(batch, POLICY)
    assert channel.asked == [["a", "b"]]
    assert (first[1].lookups, first[1].next_at) == (1, NOW + 2 * SOON)
    assert (second[1].lookups, second[1].next_at) == (1, NOW + SOON), "before its time a look only finds"


async def test_a_delivery_that_may_still_travel_is_not_asked_for() -> None:
    channel = Channel()
    [(_, decided, _)] = await LookupRunner(channel, Hands()).look_up_uncertain([doubtful("a", age=timedelta())], POLICY)
    assert channel.asked == []
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + SOON, 0)


async def test_questions_are_some_time_apart() -> None:
    channel, hands = Channel(), Hands()
    lookup_runner = LookupRunner(channel, hands)
    await lookup_runner.look_up_uncertain([doubtful("a")], POLICY)
    [(_, decided, _)] = await lookup_runner.look_up_uncertain([doubtful("b")], POLICY)
    assert len(channel.asked) == 1
    assert (decided.next_at, decided.lookups) == (NOW + REST, 0)
    hands.now += REST
    await lookup_runner.look_up_uncertain([doubtful("b")], POLICY)
    assert len(channel.asked) == 2


async def test_a_channel_that_asks_for_patience_is_left_alone_for_others_too() -> None:
    channel, hands = Channel(LookupFailed(reason="ratelimited", after_seconds=30.0)), Hands()
    lookup_runner = LookupRunner(channel, hands)
    await lookup_runner.look_up_uncertain([doubtful("a")], POLICY)
    for _ in range(29):
        hands.now += timedelta(seconds=1)
        await lookup_runner.look_up_uncertain([doubtful("b")], POLICY)
    assert len(channel.asked) == 1
    hands.now += timedelta(seconds=1)
    channel.result = MessageFound(receipt="1.2")
    [(_, decided, _)] = await lookup_runner.look_up_uncertain([doubtful("b")], POLICY)
    assert decided.state is State.DELIVERED


async def test_a_fault_of_ours_counts_as_no_answer() -> None:
    class Broken(Channel):
        async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
            raise RuntimeError(requests)

    [(_, decided, _)] = await LookupRunner(Broken(), Hands()).look_up_uncertain([doubtful("a", lookups=1)], POLICY)
    assert (decided.state, decided.reason, decided.lookups) == (
        State.UNCERTAIN,
        "lookup failed: internal-fault",
        1,
    )
