"""R13 to R15: receivers that are unavailable, dead, or fail permanently."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.event_facts import receiver_of
from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import VirtualDeliveries, refusing, running_deliveries, unavailable
from watcher.core.delivery.facts import Remedy, RemedyCode
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Policy, RefusalScope, Refused, TryLater
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.messages.reasons import reason_text
from watcher.store.delivery.operator_actions import OperatorActions

HOUR = 3600.0
DAY = 24 * HOUR
ALERTS = 1_000
PERMANENT_ERRORS = (
    "http 410: the consumer wants no more deliveries",
    "channel_not_found",
    "token_revoked",
    "channel_is_archived",
)


def in_order(events: list[Event]) -> bool:
    """Return whether the events of each training came in order, each once."""
    by_subject: dict[str, list[int]] = defaultdict(list)
    for event in events:
        by_subject[event.subject].append(event.seq)
    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_subject.values())


def states_of(deliveries_run: VirtualDeliveries, receiver: str) -> list[State]:
    return [
        item.state
        for announced in deliveries_run.announced()
        for item in announced.delivery_outcomes
        if item.receiver == receiver
    ]


@pytest.mark.parametrize(
    ("outage_seconds", "alerts"),
    [
        (HOUR / 4, 100),
        pytest.param(HOUR, ALERTS, marks=pytest.mark.torture),
        pytest.param(DAY, ALERTS, marks=pytest.mark.torture),
    ],
)
def test_r13_after_an_outage_of_slack_everything_is_delivered_in_order_at_one_a_second(
    tmp_path: Path, outage_seconds: float, alerts: int
) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = FakeReceiver(
            name="slack", pace_key="channel", pace_seconds=1.0, outcome=unavailable(outage_seconds, clock)
        )
        async with running_deliveries(tmp_path, clock, [slack]) as deliveries_run:
            for number in range(alerts // 50):
                await deliveries_run.record(f"v{number % 5}-{index}" for index in range(50))
                await asyncio.sleep(outage_seconds / 25)
            await asyncio.sleep(outage_seconds + alerts + HOUR - clock.monotonic())
            assert set(states_of(deliveries_run, "slack")) == {State.DELIVERED}
            assert deliveries_run.broken_invariants() == []
        assert len(slack.events) == len({event.id for event in slack.events}) == alerts
        assert in_order(slack.events)
        assert min(second - first for first, second in itertools.pairwise(slack.times)) >= 1.0 - 1e-6

    run(main)


def test_r14_one_failing_receiver_of_five_delays_no_other_and_is_announced_through_another(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        receivers = [FakeReceiver(name=f"hook-{number}", pace_key=f"hook-{number}") for number in range(5)]
        receivers[2].outcome = refusing("token_revoked")
        recorded: dict[str, float] = {}
        async with running_deliveries(tmp_path, clock, receivers) as deliveries_run:
            for number in range(40):
                for event in await deliveries_run.record([f"v{number}"]):
                    recorded[event.id] = clock.monotonic()
                await asyncio.sleep(30)
            receivers[2].outcome = lambda _: Delivered()
            await asyncio.sleep(2 * HOUR)
            assert deliveries_run.broken_invariants() == []
        for receiver in receivers[:2] + receivers[3:]:
            arrivals = {events[0].id: time for events, time in zip(receiver.messages, receiver.times, strict=True)}
            assert all(arrivals[identity] - time <= 1.0 for identity, time in recorded.items())
            assert [event.subject for event in receiver.events if event.kind is Kind.RECEIVER_FAILING] == [
                "receiver:hook-2"
            ]

    run(main)


@pytest.mark.parametrize("error", PERMANENT_ERRORS)
def test_r15_a_permanently_failing_receiver_is_tried_hourly_and_its_dead_letters_are_announced(
    tmp_path: Path, error: str
) -> None:
    async def main(clock: VirtualClock) -> None:
        tried: list[str] = []

        def refuse(request: DeliveryRequest) -> Outcome:
            tried.append(request.events[0].version or "")
            return Refused(reason=text_reason(error), answer=error)

        failing, other = (
            FakeReceiver(name="ml-ops", pace_key="ml-ops", outcome=refuse),
            FakeReceiver(name="ops", pace_key="ops"),
        )
        policy = Policy(give_up_after=timedelta(hours=4))
        async with running_deliveries(
            tmp_path, clock, [failing, other], to=["ml-ops"], policy=policy
        ) as deliveries_run:
            await deliveries_run.record([f"v{number}" for number in range(300)])
            await asyncio.sleep(3.5 * HOUR)
            # A few attempts ran beside the first; later only the oldest delivery is tried, once an hour.
            assert len(tried) == 4 + 3
            assert set(tried[4:]) == {"v0"}
            assert set(states_of(deliveries_run, "ml-ops")) == {State.PENDING}
            await asyncio.sleep(HOUR)
            assert set(states_of(deliveries_run, "ml-ops")) == {State.DEAD}
            attempt_times = len(tried)
            await asyncio.sleep(2 * HOUR)
            assert len(tried) == attempt_times
            assert deliveries_run.broken_invariants() == []
        assert other.kinds == ["receiver-failing", "undelivered"]
        facts = receiver_of(other.events[1])
        assert facts.count == 300
        assert error in reason_text(facts.reason)
        assert facts.remedy == Remedy(code=RemedyCode.RETRY)

    run(main)


def test_a_recovered_receiver_gets_its_pending_messages_in_order_and_the_recovery_is_announced(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, other = (
            FakeReceiver(name="hook", pace_key="hook", outcome=refusing("http 410")),
            FakeReceiver(name="ops", pace_key="ops"),
        )
        async with running_deliveries(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            for _ in range(4):
                await deliveries_run.record(["v1", "v2", "v3"])
                await asyncio.sleep(60)
            hook.outcome = lambda _: Delivered()
            await asyncio.sleep(30 * 60)
            assert hook.events == []
            await deliveries_run.workers["hook"].probe()
            await asyncio.sleep(5)
            assert len(hook.events) == 12
            assert in_order(hook.events)
            assert other.kinds == ["receiver-failing", "receiver-recovered"]

    run(main)


def test_a_failing_receiver_is_still_failing_after_a_restart(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, other = (
            FakeReceiver(name="hook", pace_key="hook", outcome=refusing("http 410")),
            FakeReceiver(name="ops", pace_key="ops"),
        )
        async with running_deliveries(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v1"])
            await asyncio.sleep(60)
        async with running_deliveries(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v2", "v3"])
            await asyncio.sleep(60)
        # One attempt at the start, in case the receiver has recovered; the hourly wait follows.
        assert len(hook.times) == 2
        assert other.kinds == ["receiver-failing"]

    run(main)


def test_single_dead_letters_are_announced_together_once_a_minute(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        def refuse(_: DeliveryRequest) -> Outcome:
            return Refused(reason=text_reason("msg_too_long"), scope=RefusalScope.MESSAGE)

        hook = FakeReceiver(name="hook", pace_key="hook", pace_seconds=1.0, outcome=refuse)
        other = FakeReceiver(name="ops", pace_key="ops")
        async with running_deliveries(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            for number in range(100):
                await deliveries_run.record([f"v{number}"])
                await asyncio.sleep(2.5)
            await asyncio.sleep(90)
        assert 2 <= len(other.events) <= 6
        assert sum(receiver_of(event).count for event in other.events) == 100

    run(main)


def test_dead_letters_about_dead_letters_are_not_announced(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        def later(_: DeliveryRequest) -> Outcome:
            return TryLater(reason=text_reason("http 503"))

        receivers = [
            FakeReceiver(name="one", pace_key="one", outcome=later),
            FakeReceiver(name="two", pace_key="two", outcome=later),
        ]
        policy = Policy(give_up_after=timedelta(hours=2), failing_after=timedelta(days=1))
        async with running_deliveries(tmp_path, clock, receivers, to=["one"], policy=policy) as deliveries_run:
            await deliveries_run.record(["v1"])
            await asyncio.sleep(6 * HOUR)
            kinds = [announced.event.kind for announced in deliveries_run.announced()]
            assert kinds == [Kind.PROGRESS, Kind.UNDELIVERED]
            assert set(states_of(deliveries_run, "two")) == {State.DEAD}

    run(main)


def test_r15_a_retried_dead_letter_that_fails_again_is_announced_again_until_it_is_delivered(
    tmp_path: Path,
) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, other = (
            FakeReceiver(name="hook", pace_key="hook", outcome=refusing("is_archived")),
            FakeReceiver(name="ops", pace_key="ops"),
        )
        policy = Policy(give_up_after=timedelta(hours=2))
        async with running_deliveries(tmp_path, clock, [hook, other], to=["hook"], policy=policy) as deliveries_run:
            operator = OperatorActions(deliveries_run.database, deliveries_run.workers)
            await deliveries_run.record(["v1", "v2", "v3"])
            await asyncio.sleep(3 * HOUR)
            for _ in range(2):
                assert states_of(deliveries_run, "hook") == [State.DEAD] * 3
                await operator.retry_all_dead("hook", "mina", clock.utc_now())
                deliveries_run.workers["hook"].wake.tick()
                await asyncio.sleep(HOUR)
                assert states_of(deliveries_run, "hook") == [State.PENDING] * 3
                await asyncio.sleep(2 * HOUR)
            hook.outcome = lambda _: Delivered()
            await operator.retry_all_dead("hook", "mina", clock.utc_now())
            deliveries_run.workers["hook"].wake.tick()
            await asyncio.sleep(HOUR)
            assert states_of(deliveries_run, "hook") == [State.DELIVERED] * 3
            assert deliveries_run.broken_invariants() == []
        assert other.kinds == ["receiver-failing", *["undelivered"] * 3, "receiver-recovered"]
        assert [receiver_of(event).count for event in other.events[1:4]] == [3, 3, 3]

    run(main)
