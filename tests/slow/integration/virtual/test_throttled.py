"""R7: throttling by AiTEMS in all its forms, while trainings change."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import pytest

from tests.support.event_facts import incident_of
from tests.support.virtual import (
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.aitems.client import PAUSES
from watcher.core.event import Event, Kind
from watcher.core.messages.advice import advice, advice_for
from watcher.core.polling.result import Cause
from watcher.http import HttpResult

SERVICES: Final = ("s1", "s2")
CAUSES: Final = {"400": Cause.QUOTA, "410": Cause.THROTTLE, "420": Cause.RATE}
CAP_SECONDS: Final = 900.0
INTERVAL_SECONDS: Final = 30.0
PER_SECOND: Final = 5
STEPS: Final = ("requesting", "waiting", "learning", "completed")
TOLERANCE_SECONDS: Final = 1e-6


def in_seconds(seconds: float) -> Callable[[FakeApi], str]:
    """Return a writer of the value as a date, by the server's own clock."""
    return lambda api: format_datetime(api.clock.utc_now() + timedelta(seconds=seconds), usegmt=True)


def text(value: str) -> Callable[[FakeApi], str]:
    """Return a writer of the value unchanged."""
    return lambda _: value


RETRY_AFTERS: Final = {
    "seconds": (text("40"), 40.0),
    "a date": (in_seconds(40), 40.0),
    "a billion": (text("1000000000"), CAP_SECONDS),
    "a date in ten years": (in_seconds(315_360_000), CAP_SECONDS),
    "a date that is past": (in_seconds(-40), None),
    "negative": (text("-5"), None),
    "garbage": (text("soon"), None),
    "more digits than a number has": (text("9" * 4000), None),
    "nothing": (text(""), None),
}
"""The forms of Retry-After, each with the expected pause; ``None`` means the default pause."""


PAIRS: Final = [
    pytest.param(retry_after, code, marks=() if position % 3 == number else pytest.mark.torture)
    for position, retry_after in enumerate(RETRY_AFTERS)
    for number, code in enumerate(CAUSES)
]
"""Each form with each code; CI runs each form with one code, and each code with three forms."""


def fullest_second(times: Sequence[float]) -> int:
    """Return the largest number of these times within one second, exclusive of its end."""
    return max(sum(first <= time < first + 1.0 - TOLERANCE_SECONDS for time in times) for first in times)


@pytest.mark.parametrize(("retry_after", "code"), PAIRS)
def test_r7_a_429_pauses_the_account_for_its_retry_after_and_is_announced_with_its_own_cause(
    tmp_path: Path, retry_after: str, code: str
) -> None:
    write, expected = RETRY_AFTERS[retry_after]
    pause = PAUSES[CAUSES[code]] if expected is None else expected
    refused: list[float] = []

    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v"): "requesting" for service in SERVICES}

        def refuse(now: float, _path: str) -> HttpResult:
            refused.append(now)
            return api.answer(429, {"error": {"errorCode": code}}, headers={"retry-after": write(api)})

        async with running_pipeline(
            tmp_path, api, receiver, service_polls(SERVICES), per_second=PER_SECOND, tick_seconds=5
        ):
            await asyncio.sleep(120)
            api.trainings["s1", "v"] = "waiting"
            await asyncio.sleep(120)
            api.fault = refuse
            while not any(event.incident for event in receiver.events):
                await asyncio.sleep(10)
            api.trainings = {("s1", "v"): "completed", ("s2", "v"): "learning"}
            await asyncio.sleep(pause)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(pause + 600)
        assert broken_invariants(tmp_path, api, receiver) == []
        return api, receiver

    api, receiver = run(main)
    for time in refused:
        following = min(later for later in api.request_times if later > time)
        assert pause - TOLERANCE_SECONDS <= following - time <= pause + INTERVAL_SECONDS + 6, "the pause has its length"
    assert fullest_second(api.request_times) <= PER_SECOND
    assert_announced_with_its_cause(receiver, CAUSES[code])


def assert_announced_with_its_cause(receiver: FakeReceiver, cause: Cause) -> None:
    """There is one incident of this cause with its own advice, one recovery, and the changes."""
    opened, closed = (event for event in receiver.events if event.incident)
    assert (opened.kind, closed.kind) == (Kind.THROTTLED, Kind.RECOVERED)
    for event in (opened, closed):
        facts = incident_of(event)
        assert (facts.cause, advice_for(facts)) == (cause.value, advice(cause))
    assert [change_of(event) for event in receiver.events if not event.incident] == [
        ("s1", "requesting", "waiting", (), False),
        ("s1", "waiting", "completed", ("learning",), True),
        ("s2", "requesting", "learning", ("waiting",), True),
    ]


def change_of(event: Event) -> tuple[object, ...]:
    return (event.service, event.from_status, event.to_status, event.skipped, event.late)


def test_r7_bursts_of_429s_during_changes_lose_nothing_and_never_exceed_the_budget(tmp_path: Path) -> None:
    draw = random.Random(7)  # noqa: S311 - test data
    short = ("0", "1", "3.5", "-5", "soon", "", "nan", "2")
    longest: list[float] = []

    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        api, receiver = FakeApi(clock), FakeReceiver()
        services = [f"s{number}" for number in range(20)]
        api.trainings = {(service, "v"): "requesting" for service in services}

        def throttle_often(_now: float, _path: str) -> HttpResult | None:
            if draw.random() > 0.7:
                return None
            return api.answer(
                429, {"error": {"errorCode": draw.choice(("410", "420"))}}, headers={"retry-after": draw.choice(short)}
            )

        def throttle_long(now: float, _path: str) -> HttpResult:
            longest.append(now)
            return api.answer(429, {"error": {"errorCode": "400"}}, headers={"retry-after": "1000000000"})

        async with running_pipeline(tmp_path, api, receiver, service_polls(services, 1, 5), per_second=PER_SECOND):
            changing = asyncio.create_task(keep_changing(api, draw))
            for fault, seconds in (
                (throttle_often, 900),
                (throttle_long, 300),
                (throttle_often, 1500),
                (throttle_often, 900),
            ):
                await asyncio.sleep(60)
                api.fault = fault
                await asyncio.sleep(seconds)
                api.fault = lambda _now, _path: None
            changing.cancel()
            # Until the last digest is sent after its ten minutes.
            await asyncio.sleep(1500)
        assert broken_invariants(tmp_path, api, receiver) == []
        return api, receiver

    api, receiver = run(main)
    assert fullest_second(api.request_times) <= PER_SECOND
    (time,) = longest
    following = min(later for later in api.request_times if later > time)
    assert CAP_SECONDS - TOLERANCE_SECONDS <= following - time <= CAP_SECONDS + 1, "the value is capped, not ignored"
    assert len([event for event in receiver.events if not event.incident]) > 100
    assert {event.to_status for event in receiver.events} >= {*STEPS}


async def keep_changing(api: FakeApi, draw: random.Random) -> None:
    """Advance random trainings to their next status."""
    while True:
        await asyncio.sleep(draw.uniform(1, 20))
        name = draw.choice(sorted(api.trainings))
        position = STEPS.index(api.trainings[name])
        api.trainings[name] = STEPS[(position + 1) % len(STEPS)]
