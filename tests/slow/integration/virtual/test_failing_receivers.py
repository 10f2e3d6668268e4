"""A receiver that fails without refusing is announced in time; its fallback gets what is urgent, and nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.event_facts import receiver_of
from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import refusing, running_deliveries
from watcher.core.delivery.facts import RemedyCode
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Policy, TryLater, Uncertain
from watcher.core.delivery.reason import text_reason
from watcher.core.event import Event, Kind
from watcher.store.health_stats import read_health_stats

MINUTE = 60.0
FAILING_AFTER = 15 * MINUTE
POLICY = Policy(first_retry=timedelta(seconds=5), max_retry=timedelta(minutes=30))
Answer = Callable[[DeliveryRequest], Outcome]


def crash(_: DeliveryRequest) -> Outcome:
    raise RuntimeError("a fault of the receiver's code")


FAILURES: dict[str, Answer] = {
    "http 503": lambda _: TryLater(reason=text_reason("http 503")),
    "dns": lambda _: TryLater(reason=text_reason("dns: no such name")),
    "a wrong path": lambda _: TryLater(reason=text_reason("http 404: the body is HTML")),
    "no answer": lambda _: Uncertain(reason=text_reason("no answer within 20 s")),
    "a crash": crash,
    "a pause of an hour": lambda _: TryLater(reason=text_reason("http 429"), after_seconds=3600.0, throttled=True),
}


@dataclass
class ChatReceiver(FakeReceiver):
    """A chat, whose waiting events are joined; it keeps the events of each attempt."""

    batch_max: int = 40
    tried: list[tuple[Event, ...]] = field(default_factory=list)

    def seal(self, event: Event, receiver_seq: int) -> None:  # type: ignore[override]  # as receivers of chats do
        """Return ``None``: each attempt renders anew."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:  # type: ignore[override]
        """Return ``None``, as ``seal`` does."""

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        self.tried.append(tuple(delivery_request.events))
        return await super().send(delivery_request)


def two(failure: Answer) -> tuple[FakeReceiver, FakeReceiver]:
    """Return a receiver that fails, and one that works."""
    return FakeReceiver(name="hook", pace_key="hook", outcome=failure), FakeReceiver(name="ops", pace_key="ops")


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_a_receiver_without_a_success_is_announced_within_failing_after_and_a_minute(tmp_path: Path, name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES[name])
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY) as deliveries_run:
            expires_at = clock.utc_now() + POLICY.give_up_after
            await deliveries_run.record([f"v{number}" for number in range(12)], Kind.FAILED)
            await asyncio.sleep(FAILING_AFTER - MINUTE)
            assert ops.events == []
            await asyncio.sleep(2 * MINUTE)
            (event,) = ops.events
            facts = receiver_of(event)
            assert (event.kind, facts.remedy and facts.remedy.code) == (Kind.RECEIVER_FAILING, RemedyCode.FAILING)
            assert (len(facts.urgent), facts.waiting) == (10, 12)
            assert facts.expires_at is not None
            assert expires_at <= facts.expires_at < expires_at + timedelta(seconds=10)
            named = facts.urgent[0].event
            assert named is not None
            assert (named.kind, named.version) == ("failed", "v0")
            (failing,) = read_health_stats(deliveries_run.database.url, clock.utc_now()).failing_receivers
            assert (failing.name, bool(failing.reason)) == ("hook", True)
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(62 * MINUTE)
            assert ops.kinds == ["receiver-failing", "receiver-recovered"]
            assert Counter(event.id for event in hook.events).most_common(1)[0][1] == 1
            assert len(hook.events) == 12
            assert read_health_stats(deliveries_run.database.url, clock.utc_now()).failing_receivers == ()
            assert deliveries_run.broken_invariants() == []

    run(main)


def test_a_restart_does_not_begin_the_time_anew(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES["http 503"])
        for minutes in (8, 8):
            async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY) as deliveries_run:
                if not deliveries_run.announced():
                    await deliveries_run.record(["v1"], Kind.FAILED)
                await asyncio.sleep(minutes * MINUTE)
        assert ops.kinds == ["receiver-failing"]

    run(main)


def test_one_failed_attempt_long_ago_is_no_failure_of_the_receiver(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES["http 503"])
        policy = Policy(first_retry=timedelta(seconds=5), give_up_after=timedelta(minutes=5))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=policy) as deliveries_run:
            await deliveries_run.record(["v1"])
            await asyncio.sleep(60 * MINUTE)
            assert ops.kinds == ["undelivered"]
            await deliveries_run.record(["v2"])
            await asyncio.sleep(1)
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(MINUTE)
        assert ops.kinds == ["undelivered"]
        assert [event.version for event in hook.events] == ["v2"]

    run(main)


@pytest.mark.parametrize("minutes", [1, 5, 13])
def test_younger_events_that_join_a_waiting_message_do_not_begin_the_time_anew(tmp_path: Path, minutes: int) -> None:
    async def main(clock: VirtualClock) -> None:
        # A message of a chat is rendered at each attempt, so that what waits can join it.
        chat, ops = ChatReceiver(name="chat", outcome=FAILURES["http 503"]), FakeReceiver(name="ops", pace_key="ops")
        policy = Policy(first_retry=timedelta(seconds=5), max_retry=timedelta(minutes=1))
        async with running_deliveries(tmp_path, clock, [chat, ops], to=["chat"], policy=policy) as deliveries_run:
            await deliveries_run.record(["v1"])
            await asyncio.sleep(minutes * MINUTE)
            await deliveries_run.record([f"v{number}" for number in range(2, 12)])
            await asyncio.sleep(FAILING_AFTER - (minutes + 1) * MINUTE)
            assert ops.events == []
            await asyncio.sleep(2 * MINUTE)
            assert ops.kinds == ["receiver-failing"]
            assert max(map(len, chat.tried)) > 1, "some were joined"

    run(main)


def test_a_pause_without_anything_that_waits_is_no_time_of_a_failure(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES["http 503"])
        policy = Policy(first_retry=timedelta(seconds=5), give_up_after=timedelta(minutes=5))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=policy) as deliveries_run:
            for version in ("v1", "v2", "v3"):
                await deliveries_run.record([version])
                await asyncio.sleep(12 * MINUTE)
            assert ops.kinds == ["undelivered"] * 3

    run(main)


def test_deliveries_that_end_one_after_the_other_do_not_hide_that_the_receiver_fails(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES["http 503"])
        policy = Policy(first_retry=timedelta(seconds=5), give_up_after=timedelta(minutes=5))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=policy) as deliveries_run:
            for number in range(8):
                await deliveries_run.record([f"v{number}"])
                await asyncio.sleep(2 * MINUTE)
            assert ops.kinds.count("receiver-failing") == 1

    run(main)


def failing_only_for(version: str, failure: Answer) -> Answer:
    """Return answers that fail for one training and accept all others."""
    return lambda request: failure(request) if request.events[0].version == version else Delivered()


@pytest.mark.parametrize("name", ["http 503", "no answer", "a wrong path"])
def test_an_urgent_message_that_keeps_failing_is_a_failure_though_others_arrive(tmp_path: Path, name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(failing_only_for("bad", FAILURES[name]))
        fallbacks = {"hook": "ops"}
        async with running_deliveries(
            tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY, fallbacks=fallbacks
        ) as deliveries_run:
            await deliveries_run.record(["bad"], Kind.FAILED)
            for number in range(8):
                await deliveries_run.record([f"good{number}"], Kind.FAILED if number % 4 == 0 else Kind.SUCCEEDED)
                await asyncio.sleep(3 * MINUTE)
                if number == 3:
                    assert ops.events == []
            assert ops.kinds[:2] == ["receiver-failing", "failed"]
            assert ops.kinds.count("receiver-failing") == 1
            assert "receiver-recovered" not in ops.kinds
            assert ops.events[1].version == "bad"
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(62 * MINUTE)
            assert ops.kinds.count("receiver-recovered") == 1
            assert len(hook.events) == 9
            assert deliveries_run.broken_invariants() == []

    run(main)


def test_an_urgent_message_behind_one_of_its_training_that_keeps_failing_is_a_failure_though_others_arrive(
    tmp_path: Path,
) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(failing_only_for("bad", FAILURES["http 503"]))
        fallbacks = {"hook": "ops"}
        async with running_deliveries(
            tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY, fallbacks=fallbacks
        ) as deliveries_run:
            await deliveries_run.record(["bad"])
            for number in range(20):
                if number == 10:
                    assert ops.events == []
                    await deliveries_run.record(["bad"], Kind.FAILED)
                if number == 14:
                    assert ops.events == [], "the failure waits for twelve minutes, not the message before it"
                await deliveries_run.record([f"good{number}"])
                await asyncio.sleep(3 * MINUTE)
            assert ops.kinds == ["receiver-failing", "failed"]
            named = receiver_of(ops.events[0]).urgent[0].event
            assert named is not None
            assert (named.kind, named.version) == ("failed", "bad")
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(62 * MINUTE)
            assert ops.kinds.count("receiver-recovered") == 1
            assert [event.kind for event in hook.events if event.version == "bad"] == [Kind.PROGRESS, Kind.FAILED]
            assert deliveries_run.broken_invariants() == []

    run(main)


def test_an_urgent_message_is_tried_soon_after_a_failing_receiver_accepts_another(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES["http 503"])
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            await asyncio.sleep(50 * MINUTE)
            hook.outcome = lambda _: Delivered()
            await deliveries_run.record(["v2"])
            await asyncio.sleep(0.5 * MINUTE)
        assert [event.version for event in hook.events] == ["v2", "v1"]
        assert ops.kinds == ["receiver-failing", "receiver-recovered"]

    run(main)


def test_a_message_that_is_not_urgent_and_never_passes_is_no_failure_of_the_receiver(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(failing_only_for("bad", FAILURES["http 503"]))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY) as deliveries_run:
            await deliveries_run.record(["bad"], Kind.SUCCEEDED)
            for number in range(6):
                await deliveries_run.record([f"good{number}"])
                await asyncio.sleep(5 * MINUTE)
        assert ops.events == []

    run(main)


def test_urgent_messages_that_pass_at_the_second_try_keep_a_receiver_working(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(lambda request: FAILURES["http 503"](request) if request.attempt == 1 else Delivered())
        policy = replace(POLICY, failing_after=timedelta(seconds=30))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=policy) as deliveries_run:
            for number in range(30):
                await deliveries_run.record([f"v{number}"], Kind.FAILED)
                await asyncio.sleep(4)
        assert ops.events == []
        assert len(hook.events) >= 29

    run(main)


def test_the_fallback_gets_what_is_urgent_once_and_marked(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(FAILURES["http 503"])
        fallbacks = {"hook": "ops"}
        async with running_deliveries(
            tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY, fallbacks=fallbacks
        ) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            await deliveries_run.record(["v2"], Kind.SUCCEEDED)
            await asyncio.sleep(FAILING_AFTER + MINUTE)
            assert ops.kinds == ["receiver-failing", "failed"]
            assert ops.events[1].fallback_for == "hook"
            assert b'"fallback_for":"hook"' in ops.received[1].body
            await deliveries_run.record(["v3"], Kind.FAILED)
            await asyncio.sleep(MINUTE)
            assert [event.version for event in ops.events[1:]] == ["v1", "v3"]
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(2 * 60 * MINUTE)
            hook.outcome = FAILURES["dns"]
            await deliveries_run.record(["v4"], Kind.FAILED)
            await asyncio.sleep(FAILING_AFTER + 2 * MINUTE)
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(2 * 60 * MINUTE)
            assert deliveries_run.broken_invariants() == []
        assert sorted(event.version or "" for event in hook.events) == ["v1", "v2", "v3", "v4"]
        assert [event.version for event in ops.events if event.receiver is None] == ["v1", "v3", "v4"]
        assert all(event.fallback_for is None for event in hook.events)

    run(main)


def test_many_urgent_events_reach_the_fallback_in_few_messages(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = two(refusing("token_revoked"))
        async with running_deliveries(
            tmp_path, clock, [hook, ops], to=["hook"], policy=POLICY, fallbacks={"hook": "ops"}
        ) as deliveries_run:
            await deliveries_run.record([f"v{number}" for number in range(50)], Kind.FAILED)
            await asyncio.sleep(MINUTE)
        assert len([event for event in ops.events if event.kind is Kind.FAILED]) == 50
        assert len(ops.messages) <= 6

    run(main)


def test_a_receiver_that_has_the_event_already_gets_no_second_copy_and_a_chain_of_fallbacks_ends(
    tmp_path: Path,
) -> None:
    async def main(clock: VirtualClock) -> None:
        first, second = two(FAILURES["http 503"])
        third = FakeReceiver(name="third", pace_key="third", outcome=FAILURES["dns"])
        fallbacks = {"hook": "third", "third": "ops", "ops": "hook"}
        async with running_deliveries(
            tmp_path, clock, [first, third, second], to=["hook", "ops"], policy=POLICY, fallbacks=fallbacks
        ) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            await asyncio.sleep(2 * FAILING_AFTER + 2 * MINUTE)
            for receiver in (first, third):
                receiver.outcome = lambda _: Delivered()
            await asyncio.sleep(2 * 60 * MINUTE)
            assert deliveries_run.broken_invariants() == []
        for receiver in (first, second, third):
            assert [event.id for event in receiver.events if event.version == "v1"].__len__() == 1

    run(main)
