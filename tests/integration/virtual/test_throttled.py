"""R7: an AiTEMS that wants fewer calls, in every way of saying so, while trainings change."""

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
from tests.support.virtual import Ear, VirtualClock, World, broken_invariants, run, service_polls, watching
from watcher.aitems.client import PAUSES
from watcher.core.event import Event, Kind
from watcher.core.incidents.advice import ADVICE, advice_for
from watcher.core.polling.result import Cause
from watcher.http import HttpResult

pytestmark = pytest.mark.slow

SERVICES: Final = ("s1", "s2")
CAUSES: Final = {"400": Cause.QUOTA, "410": Cause.THROTTLE, "420": Cause.RATE}
CAP_SECONDS: Final = 900.0
INTERVAL_SECONDS: Final = 30.0
PER_SECOND: Final = 5
STEPS: Final = ("requesting", "waiting", "learning", "completed")
MOMENT: Final = 1e-6


def in_seconds(seconds: float) -> Callable[[World], str]:
    """Return what writes the wish as a date, by the server's own clock."""
    return lambda world: format_datetime(world.clock.utc_now() + timedelta(seconds=seconds), usegmt=True)


def text(wish: str) -> Callable[[World], str]:
    """Return what writes the wish as it is."""
    return lambda _: wish


WISHES: Final = {
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
"""How a wish is written, and how long we rest for it; ``None``: as for an answer without one."""


PAIRS: Final = [
    pytest.param(wish, code, marks=() if place % 3 == number else pytest.mark.torture)
    for place, wish in enumerate(WISHES)
    for number, code in enumerate(CAUSES)
]
"""Each wish with each code; in CI each wish with one and each code with three."""


def fullest_second(moments: Sequence[float]) -> int:
    """Return how many of these moments the fullest window of one second holds, its end left out."""
    return max(sum(first <= moment < first + 1.0 - MOMENT for moment in moments) for first in moments)


@pytest.mark.parametrize(("wish", "code"), PAIRS)
def test_r7_a_429_rests_the_account_as_long_as_it_may_wish_and_is_announced_by_its_own_name(
    tmp_path: Path, wish: str, code: str
) -> None:
    write, wanted = WISHES[wish]
    rest = PAUSES[CAUSES[code]] if wanted is None else wanted
    refused: list[float] = []

    async def main(clock: VirtualClock) -> tuple[World, Ear]:
        world, ear = World(clock), Ear()
        world.trainings = {(service, "v"): "requesting" for service in SERVICES}

        def refuse(now: float, _path: str) -> HttpResult:
            refused.append(now)
            return world.answer(429, {"error": {"errorCode": code}}, headers={"retry-after": write(world)})

        async with watching(tmp_path, world, ear, service_polls(SERVICES), per_second=PER_SECOND, ring_seconds=5):
            await asyncio.sleep(120)
            world.trainings["s1", "v"] = "waiting"
            await asyncio.sleep(120)
            world.trouble = refuse
            while not any(event.incident for event in ear.events):
                await asyncio.sleep(10)
            world.trainings = {("s1", "v"): "completed", ("s2", "v"): "learning"}
            await asyncio.sleep(rest)
            world.trouble = lambda _now, _path: None
            await asyncio.sleep(rest + 600)
        assert broken_invariants(tmp_path, world, ear) == []
        return world, ear

    world, ear = run(main, threads=False)
    for moment in refused:
        after = min(asked for asked in world.asked if asked > moment)
        assert rest - MOMENT <= after - moment <= rest + INTERVAL_SECONDS + 6, "it rests, and no longer than that"
    assert fullest_second(world.asked) <= PER_SECOND
    assert_announced_by_its_name(ear, CAUSES[code])


def assert_announced_by_its_name(ear: Ear, cause: Cause) -> None:
    """One incident of this cause with its own advice, one recovery, and what changed meanwhile."""
    opened, closed = (event for event in ear.events if event.incident)
    assert (opened.kind, closed.kind) == (Kind.THROTTLED, Kind.RECOVERED)
    for event in (opened, closed):
        facts = incident_of(event)
        assert (facts.cause, advice_for(facts)) == (cause.value, ADVICE[cause])
    assert len({ADVICE[other] for other in CAUSES.values()}) == len(CAUSES)
    assert [moved(event) for event in ear.events if not event.incident] == [
        ("s1", "requesting", "waiting", (), False),
        ("s1", "waiting", "completed", ("learning",), True),
        ("s2", "requesting", "learning", ("waiting",), True),
    ]


def moved(event: Event) -> tuple[object, ...]:
    return (event.service, event.from_status, event.to_status, event.skipped, event.late)


def test_r7_storms_of_429s_amid_changes_lose_nothing_and_never_exceed_the_budget(tmp_path: Path) -> None:
    draw = random.Random(7)  # noqa: S311 - what is refused, and what changes
    short = ("0", "1", "3.5", "-5", "soon", "", "nan", "2")
    longest: list[float] = []

    async def main(clock: VirtualClock) -> tuple[World, Ear]:
        world, ear = World(clock), Ear()
        services = [f"s{number}" for number in range(20)]
        world.trainings = {(service, "v"): "requesting" for service in services}

        def storm(_now: float, _path: str) -> HttpResult | None:
            if draw.random() > 0.7:
                return None
            return world.answer(
                429, {"error": {"errorCode": draw.choice(("410", "420"))}}, headers={"retry-after": draw.choice(short)}
            )

        def absurd(now: float, _path: str) -> HttpResult:
            longest.append(now)
            return world.answer(429, {"error": {"errorCode": "400"}}, headers={"retry-after": "1000000000"})

        async with watching(tmp_path, world, ear, service_polls(services, 1, 5), per_second=PER_SECOND):
            changing = asyncio.create_task(go_on(world, draw))
            for trouble, seconds in ((storm, 900), (absurd, 300), (storm, 1500), (storm, 900)):
                await asyncio.sleep(60)
                world.trouble = trouble
                await asyncio.sleep(seconds)
                world.trouble = lambda _now, _path: None
            changing.cancel()
            # Until the last digest has waited its ten minutes, too.
            await asyncio.sleep(1500)
        assert broken_invariants(tmp_path, world, ear) == []
        return world, ear

    world, ear = run(main, threads=False)
    assert fullest_second(world.asked) <= PER_SECOND
    (moment,) = longest
    after = min(asked for asked in world.asked if asked > moment)
    assert CAP_SECONDS - MOMENT <= after - moment <= CAP_SECONDS + 1, "an absurd wish is capped, not ignored"
    assert len([event for event in ear.events if not event.incident]) > 100
    assert {event.to_status for event in ear.events} >= {*STEPS}


async def go_on(world: World, draw: random.Random) -> None:
    """Let one training after another go on in its life."""
    while True:
        await asyncio.sleep(draw.uniform(1, 20))
        name = draw.choice(sorted(world.trainings))
        place = STEPS.index(world.trainings[name])
        world.trainings[name] = STEPS[(place + 1) % len(STEPS)]
