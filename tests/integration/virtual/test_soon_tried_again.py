"""A webhook that refuses for a moment, as in a rolling deploy, and one that refuses for good."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import VirtualDeliveries, running_deliveries
from watcher.core.delivery.model import DeliveryRequest, Outcome, Policy, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode
from watcher.core.event import Kind
from watcher.receivers.webhook import classify

MINUTES = 60.0
HOUR = 3600.0


def answering(statuses: Iterator[int]) -> Callable[[DeliveryRequest], Outcome]:
    """Return the outcomes of a webhook with these answers, and 200 after them."""
    return lambda _: classify(next(statuses, 200), "")


def hooks(statuses: Iterator[int]) -> tuple[FakeReceiver, FakeReceiver]:
    return (
        FakeReceiver(name="hook", pace_key="hook", outcome=answering(statuses)),
        FakeReceiver(name="ops", pace_key="ops"),
    )


@pytest.mark.parametrize(
    "statuses",
    [
        [404],
        [401],
        [302, 410],
        [503, 502, 503, 404],
        [404, 503, 403, 404],
    ],
    ids=lambda statuses: " ".join(map(str, statuses)),
)
def test_a_failure_alert_is_not_late_by_an_hour_for_a_few_refusals_of_a_webhook(
    tmp_path: Path, statuses: list[int]
) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = hooks(iter(statuses))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            await wait_for(hook, deliveries_run, clock, 2.5 * MINUTES)
            assert deliveries_run.broken_invariants() == []
        assert [event.kind for event in hook.events] == [Kind.FAILED]
        assert ops.events == []

    run(main)


async def wait_for(hook: FakeReceiver, deliveries_run: VirtualDeliveries, clock: VirtualClock, seconds: float) -> None:
    """Wait until the webhook has a message and its record, at most so long."""
    while not (hook.events and all_ended(deliveries_run)):
        assert clock.monotonic() < seconds
        await sleep(0.5)


def all_ended(deliveries_run: VirtualDeliveries) -> bool:
    outcomes = [outcome for item in deliveries_run.announced() for outcome in item.delivery_outcomes]
    return all(outcome.settled_at is not None for outcome in outcomes)


@pytest.mark.parametrize("status", [302, 403, 410])
def test_a_webhook_that_refuses_three_times_within_two_minutes_is_parked(tmp_path: Path, status: int) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = hooks(iter([status] * 4))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            await sleep(2 * MINUTES)
            assert ops.kinds == ["receiver-failing"]
            assert len(hook.times) == 3
            await sleep(1.1 * HOUR)
            # While it is parked, one attempt an hour shows whether it still refuses.
            assert len(hook.times) == 4
            await sleep(HOUR)
            assert ops.kinds == ["receiver-failing", "receiver-recovered"]
            assert deliveries_run.broken_invariants() == []

    run(main)


def test_refusals_of_different_deliveries_at_one_time_are_not_three_tries(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = hooks(iter([404] * 12))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"]) as deliveries_run:
            await deliveries_run.record([f"v{number}" for number in range(12)], Kind.FAILED)
            await sleep(2 * MINUTES)
            assert len(hook.events) == 12
            assert ops.events == []

    run(main)


def test_a_webhook_is_parked_by_the_runs_of_once_too(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = hooks(iter([404] * 100))
        for number in range(4):
            async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"]) as deliveries_run:
                if not number:
                    await deliveries_run.record(["v1"], Kind.FAILED)
                await sleep(5)
            await sleep(MINUTES)
        assert ops.kinds[:1] == ["receiver-failing"]

    run(main)


@pytest.mark.parametrize(
    ("failures", "status"),
    [([503] * 5, 404), ([503, 404, 503, 503, 503], 302), ([None] * 5, 403)],
    ids=["5xx", "mixed", "no answer"],
)
def test_attempts_of_an_earlier_process_that_refused_nothing_are_no_refusals(
    tmp_path: Path, failures: list[int | None], status: int
) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = hooks(iter(()))
        outcomes = iter(failures)
        hook.outcome = lambda _: no_answer() if (answer := next(outcomes)) is None else classify(answer, "")
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"]) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            while len(hook.times) < len(failures):
                await sleep(1)
        hook.outcome = answering(iter([status]))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"]) as deliveries_run:
            await sleep(5 * MINUTES)
            assert hook.kinds == ["failed"]
            assert ops.events == []

    run(main)


def no_answer() -> Outcome:
    return Uncertain(reason=Reason(code=ReasonCode.NO_ANSWER, cause="deadline"))


def test_a_delivery_that_expires_within_the_tries_is_dead_and_reported(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = hooks(iter([404] * 100))
        policy = Policy(give_up_after=timedelta(seconds=8))
        async with running_deliveries(tmp_path, clock, [hook, ops], to=["hook"], policy=policy) as deliveries_run:
            await deliveries_run.record(["v1"], Kind.FAILED)
            await sleep(3 * MINUTES)
            assert deliveries_run.broken_invariants() == []
        assert ops.kinds == ["undelivered"]

    run(main)
