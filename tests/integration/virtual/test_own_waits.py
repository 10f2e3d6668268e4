"""A delivery expires by its age since it was first allowed to go, not by waits of our own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import running_deliveries
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Policy, TryLater
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State

POLICY = Policy(first_retry=timedelta(seconds=1), give_up_after=timedelta(seconds=30))


def test_the_pace_of_a_channel_expires_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        chat = FakeReceiver(name="chat", pace_key="chat", pace_seconds=1.0)
        async with running_deliveries(tmp_path, clock, [chat], policy=POLICY) as deliveries_run:
            await deliveries_run.record([f"v{number}" for number in range(90)])
            await asyncio.sleep(200)
            assert deliveries_run.broken_invariants() == []
        assert len(chat.events) == 90

    run(main, sweep_seconds=10)


def test_a_delivery_behind_an_earlier_one_of_its_training_gets_its_own_time(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        def first_fails(request: DeliveryRequest) -> Outcome:
            return TryLater(reason=text_reason("http 503")) if request.events[0].seq == 1 else Delivered()

        hook = FakeReceiver(name="hook", pace_key="hook", outcome=first_fails)
        async with running_deliveries(tmp_path, clock, [hook], policy=POLICY) as deliveries_run:
            await deliveries_run.record(["v1"])
            await deliveries_run.record(["v1"])
            await asyncio.sleep(120)
            states = [
                item.state
                for announced in deliveries_run.announced()
                if announced.event.receiver is None
                for item in announced.delivery_outcomes
            ]
            assert states == [State.DEAD, State.DELIVERED]

    run(main, sweep_seconds=10)


def test_while_a_channel_is_paused_the_others_behind_it_do_not_expire(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        paused: list[str] = []

        def pause_once(request: DeliveryRequest) -> Outcome:
            if not paused:
                paused.append(request.delivery_id)
                return TryLater(reason=text_reason("http 429"), after_seconds=20.0, throttled=True)
            return Delivered()

        chat = FakeReceiver(name="chat", pace_key="chat", pace_seconds=1.0, outcome=pause_once)
        async with running_deliveries(tmp_path, clock, [chat], policy=POLICY) as deliveries_run:
            await deliveries_run.record([f"v{number}" for number in range(25)])
            await asyncio.sleep(120)
        assert len(chat.events) == 25

    run(main, sweep_seconds=10)


def test_a_delivery_that_was_attempted_expires_by_its_age_since_then(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        def later(_: DeliveryRequest) -> Outcome:
            return TryLater(reason=text_reason("http 503"))

        hook = FakeReceiver(name="hook", pace_key="hook", outcome=later)
        async with running_deliveries(tmp_path, clock, [hook], policy=POLICY) as deliveries_run:
            await deliveries_run.record(["v1", "v2"])
            await asyncio.sleep(25)
            assert len(hook.times) > 2
            await asyncio.sleep(20)
            states = {item.state for event in deliveries_run.announced() for item in event.delivery_outcomes}
            assert states == {State.DEAD}

    run(main, sweep_seconds=10)
