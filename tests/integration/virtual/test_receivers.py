"""R13 to R15: receivers that are away, dead, or refuse for good."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.virtual import Ear, VirtualClock, run
from tests.support.virtual_delivery import VirtualDeliveries, away, recipient_report, refuses
from watcher.core.delivery.model import (
    Delivered,
    DeliveryRequest,
    Outcome,
    Policy,
    RefusalScope,
    Refused,
    State,
    TryLater,
)
from watcher.core.event import Event, Kind
from watcher.pipeline import routing as route
from watcher.pipeline.delivery import worker as deliver
from watcher.store.operator_actions import OperatorActions

HOUR = 3600.0
DAY = 24 * HOUR
ALERTS = 1_000
SLACK_WORDS = (
    "http 410: the consumer wants no more deliveries",
    "channel_not_found",
    "token_revoked",
    "channel_is_archived",
)


@pytest.fixture(autouse=True)
def _rare_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each sweep costs real time; what a bell ought to ring for must not need one either.
    monkeypatch.setattr(deliver, "SWEEP_SECONDS", 300.0)
    monkeypatch.setattr(route, "SWEEP_SECONDS", 300.0)


def in_order(events: list[Event]) -> bool:
    """Say whether each training's events came in their order, each once."""
    seen: dict[str, list[int]] = defaultdict(list)
    for event in events:
        seen[event.subject].append(event.seq)
    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


def states_at(deliveries_run: VirtualDeliveries, receiver: str) -> list[State]:
    return [
        item.state
        for announced in deliveries_run.announced()
        for item in announced.delivery_outcomes
        if item.receiver == receiver
    ]


@pytest.mark.parametrize(
    ("seconds_away", "alerts"),
    [
        (HOUR / 4, 100),
        pytest.param(HOUR, ALERTS, marks=pytest.mark.slow),
        pytest.param(DAY, ALERTS, marks=pytest.mark.torture),
    ],
)
def test_r13_after_an_outage_of_slack_all_is_delivered_in_order_at_one_a_second(
    tmp_path: Path, seconds_away: float, alerts: int
) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = Ear(name="slack", pace_key="channel", pace_seconds=1.0, outcome=away(seconds_away, clock))
        async with recipient_report(tmp_path, clock, [slack]) as deliveries_run:
            for number in range(alerts // 50):
                await deliveries_run.record(f"v{number % 5}-{index}" for index in range(50))
                await asyncio.sleep(seconds_away / 25)
            await asyncio.sleep(seconds_away + alerts + HOUR - clock.monotonic())
            assert set(states_at(deliveries_run, "slack")) == {State.DELIVERED}
            assert deliveries_run.broken_invariants() == []
        assert len(slack.events) == len({event.id for event in slack.events}) == alerts
        assert in_order(slack.events)
        assert min(second - first for first, second in itertools.pairwise(slack.times)) >= 1.0 - 1e-6

    run(main)


def test_r14_one_dead_receiver_of_five_delays_no_other_and_is_announced_through_another(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        ears = [Ear(name=f"hook-{number}", pace_key=f"hook-{number}") for number in range(5)]
        ears[2].outcome = refuses("token_revoked")
        recorded: dict[str, float] = {}
        async with recipient_report(tmp_path, clock, ears) as deliveries_run:
            for number in range(40):
                for event in await deliveries_run.record([f"v{number}"]):
                    recorded[event.id] = clock.monotonic()
                await asyncio.sleep(30)
            ears[2].outcome = lambda _: Delivered()
            await asyncio.sleep(2 * HOUR)
            assert deliveries_run.broken_invariants() == []
        for ear in ears[:2] + ears[3:]:
            announced = {request[0].id: at for request, at in zip(ear.heard, ear.times, strict=True)}
            assert all(announced[identity] - at <= 1.0 for identity, at in recorded.items())
            assert [event.subject for event in ear.events if event.kind is Kind.RECEIVER_FAILING] == ["receiver:hook-2"]

    run(main)


@pytest.mark.parametrize("word", SLACK_WORDS)
def test_r15_what_refuses_permanently_is_tried_hourly_with_the_oldest_row_and_ends_as_a_announced_dead_letter(
    tmp_path: Path, word: str
) -> None:
    async def main(clock: VirtualClock) -> None:
        tried: list[str] = []

        def refuse(request: DeliveryRequest) -> Outcome:
            tried.append(request.events[0].version or "")
            return Refused(reason=word, answer=word)

        failing, other = (
            Ear(name="ml-ops", pace_key="ml-ops", outcome=refuse),
            Ear(name="ops", pace_key="ops"),
        )
        policy = Policy(give_up_after=timedelta(hours=4))
        async with recipient_report(tmp_path, clock, [failing, other], to=["ml-ops"], policy=policy) as deliveries_run:
            await deliveries_run.record([f"v{number}" for number in range(300)])
            await asyncio.sleep(3.5 * HOUR)
            # A few were under way beside the first; from then on it is the oldest alone, once an hour.
            assert len(tried) == 4 + 3
            assert set(tried[4:]) == {"v0"}
            assert set(states_at(deliveries_run, "ml-ops")) == {State.PENDING}
            await asyncio.sleep(HOUR)
            assert set(states_at(deliveries_run, "ml-ops")) == {State.DEAD}
            tries = len(tried)
            await asyncio.sleep(2 * HOUR)
            assert len(tried) == tries
            assert deliveries_run.broken_invariants() == []
        assert other.kinds == ["receiver-failing", "undelivered"]
        facts = other.events[1].receiver or {}
        assert facts["count"] == 300
        assert word in str(facts["reason"])
        assert "deliveries retry --all-dead --receiver ml-ops" in str(facts["remedy"])

    run(main)


def test_a_recovered_receiver_gets_what_waited_in_order_and_that_is_announced_through_another(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, other = Ear(name="hook", pace_key="hook", outcome=refuses("http 410")), Ear(name="ops", pace_key="ops")
        async with recipient_report(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
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


def test_a_restart_remembers_that_a_receiver_is_parked(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, other = Ear(name="hook", pace_key="hook", outcome=refuses("http 410")), Ear(name="ops", pace_key="ops")
        async with recipient_report(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v1"])
            await asyncio.sleep(60)
        async with recipient_report(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v2", "v3"])
            await asyncio.sleep(60)
        # One try at the start: what was wrong may be mended; the hour goes on after it.
        assert len(hook.times) == 2
        assert other.kinds == ["receiver-failing"]

    run(main)


def test_dead_letters_that_come_apart_are_announced_once_a_minute_together(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        def refuse(_: DeliveryRequest) -> Outcome:
            return Refused(reason="msg_too_long", scope=RefusalScope.MESSAGE)

        hook = Ear(name="hook", pace_key="hook", pace_seconds=1.0, outcome=refuse)
        other = Ear(name="ops", pace_key="ops")
        async with recipient_report(tmp_path, clock, [hook, other], to=["hook"]) as deliveries_run:
            for number in range(100):
                await deliveries_run.record([f"v{number}"])
                await asyncio.sleep(2.5)
            await asyncio.sleep(90)
        assert 2 <= len(other.events) <= 6
        assert sum(int(str((event.receiver or {})["count"])) for event in other.events) == 100

    run(main)


def test_dead_letters_about_dead_letters_make_no_further_ones(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        def later(_: DeliveryRequest) -> Outcome:
            return TryLater(reason="http 503")

        ears = [Ear(name="one", pace_key="one", outcome=later), Ear(name="two", pace_key="two", outcome=later)]
        policy = Policy(give_up_after=timedelta(hours=2))
        async with recipient_report(tmp_path, clock, ears, to=["one"], policy=policy) as deliveries_run:
            await deliveries_run.record(["v1"])
            await asyncio.sleep(6 * HOUR)
            kinds = [announced.event.kind for announced in deliveries_run.announced()]
            assert kinds == [Kind.PROGRESS, Kind.UNDELIVERED]
            assert set(states_at(deliveries_run, "two")) == {State.DEAD}

    run(main)


def test_r15_a_dead_letter_that_is_sent_again_in_vain_dies_and_is_announced_again_until_it_is_delivered(
    tmp_path: Path,
) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, other = Ear(name="hook", pace_key="hook", outcome=refuses("is_archived")), Ear(name="ops", pace_key="ops")
        policy = Policy(give_up_after=timedelta(hours=2))
        async with recipient_report(tmp_path, clock, [hook, other], to=["hook"], policy=policy) as deliveries_run:
            hand = OperatorActions(deliveries_run.database, deliveries_run.workers)
            await deliveries_run.record(["v1", "v2", "v3"])
            await asyncio.sleep(3 * HOUR)
            for _ in range(2):
                assert states_at(deliveries_run, "hook") == [State.DEAD] * 3
                await hand.retry_all_dead("hook", clock.utc_now())
                deliveries_run.workers["hook"].wake.tick()
                await asyncio.sleep(HOUR)
                assert states_at(deliveries_run, "hook") == [State.PENDING] * 3
                await asyncio.sleep(2 * HOUR)
            hook.outcome = lambda _: Delivered()
            await hand.retry_all_dead("hook", clock.utc_now())
            deliveries_run.workers["hook"].wake.tick()
            await asyncio.sleep(HOUR)
            assert states_at(deliveries_run, "hook") == [State.DELIVERED] * 3
            assert deliveries_run.broken_invariants() == []
        assert other.kinds == ["receiver-failing", *["undelivered"] * 3, "receiver-recovered"]
        assert [(event.receiver or {})["count"] for event in other.events[1:4]] == [3, 3, 3]

    run(main)
