"""R6: six unreachable hours with many changes, then one recovery and the changes."""

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
from tests.support.virtual import (
    START,
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.event import Event, Kind
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.http import FailureReason, HttpResult, MaybeSent, NotSent
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.layout import TEXT_ONLY

HOUR: Final = 3600.0
OUTAGE_HOURS: Final = 6
SERVICES: Final = ("s1", "s2", "s3")
STATUS_SEQUENCES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
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
"""The statuses of each training during the outage, one an hour after the first."""
EXPECTED: Final = {
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
"""Each changed training once, with its skipped stages, and a new training; no unchanged one."""

OutageAnswer = Callable[[FakeApi], HttpResult | Awaitable[HttpResult]]


def server_error(api: FakeApi) -> HttpResult:
    return api.answer(503, {"error": {"errorCode": "500"}})


def no_name(api: FakeApi) -> HttpResult:
    now = api.clock.utc_now()
    return NotSent(reason=FailureReason.DNS, detail="no such name", asked_at=now, ended_at=now)


async def no_answer(api: FakeApi) -> HttpResult:
    began = api.clock.utc_now()
    await asyncio.sleep(10)
    return MaybeSent(reason=FailureReason.DEADLINE, detail="no answer", asked_at=began, ended_at=api.clock.utc_now())


def in_turn(*answers: OutageAnswer) -> OutageAnswer:
    """Return an outage whose answers change every half hour."""
    return lambda api: answers[int(api.clock.monotonic() // (HOUR / 2)) % len(answers)](api)


OUTAGES: Final[Mapping[str, OutageAnswer]] = {
    "server errors": server_error,
    "no name": no_name,
    "no answer": no_answer,
    "all of them": in_turn(server_error, no_name, no_answer),
}


CASES: Final = [
    pytest.param(outage, restarts, marks=() if position % 2 == number else pytest.mark.torture)
    for position, outage in enumerate(OUTAGES)
    for number, restarts in enumerate((0, 2))
]


async def change_hourly(api: FakeApi) -> None:
    """Change the trainings each hour during the outage; one is new."""
    for step in itertools.count(1):
        await asyncio.sleep(HOUR)
        api.trainings |= {name: statuses[min(step, len(statuses) - 1)] for name, statuses in STATUS_SEQUENCES.items()}
        api.trainings["s3", "v9"] = "waiting"


@pytest.mark.parametrize(("outage", "restarts"), CASES)
def test_r6_six_unreachable_hours_give_one_incident_and_one_recovery_with_the_changes(
    tmp_path: Path, outage: str, restarts: int
) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {name: statuses[0] for name, statuses in STATUS_SEQUENCES.items()}
        polls = service_polls(SERVICES)
        async with running_pipeline(tmp_path, api, receiver, polls, tick_seconds=5):
            await asyncio.sleep(HOUR)
            changing = asyncio.create_task(change_hourly(api))
            api.fault = lambda _now, _path: OUTAGES[outage](api)
            await asyncio.sleep(OUTAGE_HOURS / 2 * HOUR if restarts else OUTAGE_HOURS * HOUR)
            if not restarts:
                await end_outage(api, changing)
        for _ in range(restarts):
            async with running_pipeline(tmp_path, api, receiver, polls, tick_seconds=5):
                await asyncio.sleep(OUTAGE_HOURS / 2 / restarts * HOUR)
                if clock.monotonic() > OUTAGE_HOURS * HOUR:
                    await end_outage(api, changing)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver

    receiver = run(main)
    assert_one_incident(receiver)
    assert_changes(tmp_path, receiver)


async def end_outage(api: FakeApi, changing: asyncio.Task[None]) -> None:
    changing.cancel()
    api.fault = lambda _now, _path: None
    await asyncio.sleep(HOUR)


def assert_one_incident(receiver: FakeReceiver) -> None:
    announced = [event for event in receiver.events if event.incident]
    assert [event.kind for event in announced] == [Kind.UNREACHABLE, Kind.RECOVERED]
    opened, closed = map(incident_of, announced)
    assert opened.id == closed.id
    assert closed.lasted_seconds is not None
    assert OUTAGE_HOURS * HOUR - 400 < closed.lasted_seconds < OUTAGE_HOURS * HOUR + 400
    assert "what changed meanwhile is reported" in plain_text(compose(announced[1]).muted).lower()


def assert_changes(folder: Path, receiver: FakeReceiver) -> None:
    """Every change comes once, late, within its bounds, in one message; that also names the failure, sent alone."""
    changes = [announced.event for announced in history(folder) if not announced.event.incident]
    assert {facts(event) for event in changes} == EXPECTED
    assert len(changes) == len(EXPECTED)
    assert all(event.late for event in changes)
    assert all(event.after <= START + timedelta(seconds=HOUR + 400) for event in changes)
    (catch_up, also) = next(
        (request, also) for request, also in zip(receiver.messages, receiver.also, strict=True) if len(request) > 1
    )
    assert len(catch_up) == len(EXPECTED) - 1
    assert [event.kind for event in also] == [Kind.FAILED]
    assert len(receiver.messages) == 4, "the incident, its end, the failure, and one message with all other changes"
    text = str(payload(catch_up, TEXT_ONLY, may_be_repeat=False, also=also)["text"])
    assert text.startswith("📋 Changes during the outage of account `"), text
    assert "`waiting`, `learning` not seen" in text, text


def facts(event: Event) -> tuple[object, ...]:
    return (event.service, event.version, event.from_status, event.skipped, event.to_status)
