"""R6: six hours in which nothing can be seen and much happens; then one recovery, and what changed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support.daemon_in_process import history
from tests.support.event_facts import incident_of
from tests.support.virtual import START, Ear, VirtualClock, World, broken_invariants, run, service_polls, watching
from watcher.core.event import Event, Kind
from watcher.core.messages.group import compose_group
from watcher.core.messages.incident import CHANGES_FOLLOW
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.http import FailureReason, HttpResult, MaybeSent, NotSent
from watcher.receivers.slack.group import text_alone

pytestmark = pytest.mark.slow

HOUR: Final = 3600.0
AWAY: Final = 6
SERVICES: Final = ("s1", "s2", "s3")
LIVES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("s1", "v1"): ("requesting", "waiting", "learning", "completed"),
    ("s1", "v2"): ("waiting", "learning", "completed", "learning"),
    ("s1", "v3"): ("learning", "completed"),
    ("s1", "v4"): ("learning",),
    ("s2", "v1"): ("requesting", "waiting", "learning"),
    ("s2", "v2"): ("learning", "stopping", "ready"),
    ("s2", "v3"): ("requesting", "waiting", "learning", "learningFailed"),
    ("s3", "v1"): ("completed", "requesting", "waiting"),
    ("s3", "v2"): ("ready", "requesting", "waiting", "learning", "completed"),
}
"""What each training goes through while nobody sees it, a step an hour from the second on."""
TOLD: Final = {
    ("s1", "v1", "requesting", ("waiting", "learning"), "completed"),
    ("s1", "v2", "waiting", (), "learning"),
    ("s1", "v3", "learning", (), "completed"),
    ("s2", "v1", "requesting", ("waiting",), "learning"),
    ("s2", "v2", "learning", (), "ready"),
    ("s2", "v3", "requesting", ("waiting", "learning"), "learningFailed"),
    ("s3", "v1", "completed", (), "waiting"),
    ("s3", "v2", "ready", (), "completed"),
    ("s3", "v9", None, (), "waiting"),
}
"""Each change once, with what was skipped where our order of the stages says it; a new one; nothing unchanged."""

HealthEndpoints = Callable[[World], HttpResult | Awaitable[HttpResult]]


def server_error(world: World) -> HttpResult:
    return world.answer(503, {"error": {"errorCode": "500"}})


def no_name(world: World) -> HttpResult:
    now = world.clock.utc_now()
    return NotSent(reason=FailureReason.DNS, detail="no such name", asked_at=now, ended_at=now)


async def no_answer(world: World) -> HttpResult:
    began = world.clock.utc_now()
    await asyncio.sleep(10)
    return MaybeSent(reason=FailureReason.DEADLINE, detail="silence", asked_at=began, ended_at=world.clock.utc_now())


def in_turn(*health_endpoints: HealthEndpoints) -> HealthEndpoints:
    """Return what has another face each half hour."""
    return lambda world: health_endpoints[int(world.clock.monotonic() // (HOUR / 2)) % len(health_endpoints)](world)


FACES: Final[Mapping[str, HealthEndpoints]] = {
    "server errors": server_error,
    "no name": no_name,
    "no answer": no_answer,
    "all of them": in_turn(server_error, no_name, no_answer),
}


CASES: Final = [
    pytest.param(health_endpoints, restarts, marks=() if place % 2 == number else pytest.mark.torture)
    for place, health_endpoints in enumerate(FACES)
    for number, restarts in enumerate((0, 2))
]


async def live_on(world: World) -> None:
    """Let the trainings go on while nobody sees them; one is new."""
    for step in itertools.count(1):
        await asyncio.sleep(HOUR)
        world.trainings |= {name: life[min(step, len(life) - 1)] for name, life in LIVES.items()}
        world.trainings["s3", "v9"] = "waiting"


@pytest.mark.parametrize(("health_endpoints", "restarts"), CASES)
def test_r6_six_hours_out_of_result_are_one_incident_and_one_recovery_with_what_changed(
    tmp_path: Path, health_endpoints: str, restarts: int
) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {name: life[0] for name, life in LIVES.items()}
        polls = service_polls(SERVICES)
        async with watching(tmp_path, world, ear, polls, ring_seconds=5):
            await asyncio.sleep(HOUR)
            living = asyncio.create_task(live_on(world))
            world.trouble = lambda _now, _path: FACES[health_endpoints](world)
            await asyncio.sleep(AWAY / 2 * HOUR if restarts else AWAY * HOUR)
            if not restarts:
                await come_back(world, living)
        for _ in range(restarts):
            async with watching(tmp_path, world, ear, polls, ring_seconds=5):
                await asyncio.sleep(AWAY / 2 / restarts * HOUR)
                if clock.monotonic() > AWAY * HOUR:
                    await come_back(world, living)
        assert broken_invariants(tmp_path, world, ear) == []
        return ear

    ear = run(main, threads=False)
    assert_one_incident(ear)
    assert_what_changed(tmp_path, ear)


async def come_back(world: World, living: asyncio.Task[None]) -> None:
    living.cancel()
    world.trouble = lambda _now, _path: None
    await asyncio.sleep(HOUR)


def assert_one_incident(ear: Ear) -> None:
    announced = [event for event in ear.events if event.incident]
    assert [event.kind for event in announced] == [Kind.UNREACHABLE, Kind.RECOVERED]
    opened, closed = map(incident_of, announced)
    assert opened.id == closed.id
    assert closed.lasted_seconds is not None
    assert AWAY * HOUR - 400 < closed.lasted_seconds < AWAY * HOUR + 400
    assert CHANGES_FOLLOW in [plain_text(line) for line in compose(announced[1]).lines]


def assert_what_changed(folder: Path, ear: Ear) -> None:
    """Everything once, late, within its bounds, in one message but for the failure, which is named in it."""
    moves = [announced.event for announced in history(folder) if not announced.event.incident]
    assert {facts(event) for event in moves} == TOLD
    assert len(moves) == len(TOLD)
    assert all(event.late for event in moves)
    assert all(event.after <= START + timedelta(seconds=HOUR + 400) for event in moves)
    (catch_up, also) = next(
        (request, also) for request, also in zip(ear.heard, ear.also, strict=True) if len(request) > 1
    )
    assert len(catch_up) == len(TOLD) - 1
    assert [event.kind for event in also] == [Kind.FAILED]
    assert len(ear.heard) == 4, "the incident, its end, the failure, and all the rest together"
    text = text_alone(compose_group(catch_up, also), may_be_repeat=False)
    assert "`requesting` → (`waiting`, `learning`) → `completed`" in text, text


def facts(event: Event) -> tuple[object, ...]:
    return (event.service, event.version, event.from_status, event.skipped, event.to_status)
