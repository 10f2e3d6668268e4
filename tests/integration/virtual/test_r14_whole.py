"""R13 and R14 by the whole daemon: receivers away for hours, and one of five that is dead in whatever way."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process as house
from tests.support import virtual_daemon as faked
from tests.support.fault_table import remark
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Consumer, Mood, Whole
from watcher.core.delivery.model import State
from watcher.core.event import Kind
from watcher.http import HttpResult, HttpSettings, NotSent, Reason, Uncertain

pytestmark = pytest.mark.slow

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
BAR_SECONDS: Final = 1.0
LIFE: Final = ("requesting", "waiting", "learning", "completed")


async def hang(consumer: Consumer, settings: HttpSettings) -> HttpResult:
    asked_at = consumer.clock.utc_now()
    await asyncio.sleep(settings.timeout_seconds)
    return faked.late(consumer.clock, asked_at=asked_at)


def reset(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
    now = consumer.clock.utc_now()
    return Uncertain(reason=Reason.RESET, detail="reset", asked_at=now, ended_at=now)


def nobody(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
    now = consumer.clock.utc_now()
    return NotSent(reason=Reason.CONNECT, detail="refused", asked_at=now, ended_at=now)


def says(status: int, headers: Mapping[str, str] | None = None) -> Mood:
    return lambda consumer, _settings: consumer.says(status, headers=headers)


DEATHS: Final[Mapping[str, Mood]] = {
    "hangs": hang,
    "resets": reset,
    "nobody there": nobody,
    "503": says(503),
    "429 for ever": says(429, {"retry-after": "1000000000"}),
    "redirects": says(302, {"location": "https://elsewhere.example/"}),
    "410": says(410),
}
RARER: Final = frozenset({"resets", "503", "redirects"})
"""What another of the deaths is much like: in full alone."""


@pytest.mark.parametrize(
    "death", [pytest.param(name, marks=pytest.mark.torture if name in RARER else ()) for name in DEATHS]
)
def test_r14_one_of_five_that_is_dead_in_any_way_delays_no_other_and_is_told_through_another(
    tmp_path: Path, death: str
) -> None:
    async def main(clock: VirtualClock) -> Whole:
        hooks = {f"hook-{number}": Consumer(clock) for number in range(5)}
        hooks["hook-2"].mood = DEATHS[death]
        whole = Whole(tmp_path, clock, hooks, interval_seconds=5, delivery='give_up_after = "1h"')
        for number in range(10):
            whole.show(f"v{number}", "ready")
        async with whole.living():
            await asyncio.sleep(60)
            for word in LIFE:
                for number in range(10):
                    whole.show(f"v{number}", word)
                    await asyncio.sleep(7)
            await asyncio.sleep(1.5 * HOUR)
            await whole.settled()
        assert whole.broken_promises() == []
        return whole

    whole = run(main, threads=False)
    recorded = {event.id: event for event in whole.recorded()}
    waits: list[float] = []
    for name, hook in whole.hooks.items():
        first = {event["id"]: item.at for item in reversed(hook.received) for event in item.events}
        if name == "hook-2":
            assert first == {}
            continue
        waits += [(at - recorded[identity].recorded_at).total_seconds() for identity, at in first.items()]
        assert {Kind.RECEIVER_BROKEN, Kind.UNDELIVERED} & {recorded[identity].kind for identity in first}
        assert {identity for identity, event in recorded.items() if event.version is not None} <= first.keys()
    remark(f"one of five is dead: the others have it after {max(waits):.2f} s at most")
    assert max(waits) <= BAR_SECONDS
    ends = [item for told in house.history(tmp_path) for item in told.handovers if item.receiver == "hook-2"]
    assert {item.state for item in ends} == {State.DEAD}


@pytest.mark.parametrize(
    ("seconds_away", "alerts"),
    [(HOUR / 4, 100), *(pytest.param(away, 1_000, marks=pytest.mark.torture) for away in (HOUR, DAY))],
)
def test_r13_two_receivers_of_one_channel_that_was_away_get_everything_in_order_at_one_a_second(
    tmp_path: Path, seconds_away: float, alerts: int
) -> None:
    trainings = alerts // len(LIFE)

    async def main(clock: VirtualClock) -> Whole:
        whole = Whole(tmp_path, clock, {"hook": Consumer(clock)}, chats=("chat", "same"), interval_seconds=60)
        whole.chat.mood = lambda chat, _: chat.says(503) if clock.monotonic() < seconds_away else None
        for number in range(trainings):
            whole.show(f"v{number}", "ready")
        start = seconds_away / 10
        async with whole.living():
            await asyncio.sleep(start)
            for word in LIFE[:2]:
                for number in range(trainings):
                    whole.show(f"v{number}", word)
                    await asyncio.sleep(seconds_away / 4 / trainings)
        # What waits outlives a restart, and so does the pace.
        async with whole.living():
            for word in LIFE[2:]:
                for number in range(trainings):
                    whole.show(f"v{number}", word)
                    await asyncio.sleep(seconds_away / 8 / trainings)
            await asyncio.sleep(max(0.0, seconds_away - clock.monotonic()))
            await whole.settled(3 * HOUR + 4 * alerts)
        assert whole.broken_promises() == []
        return whole

    whole = run(main, threads=False)
    told = house.history(tmp_path)
    assert len(told) == alerts
    assert {item.state for event in told for item in event.handovers} == {State.DELIVERED}
    deliveries = {item.delivery_id for event in told for item in event.handovers if item.receiver in whole.chats}
    assert len(whole.chat.received) == len(deliveries)
    gaps = [later - earlier for earlier, later in itertools.pairwise(whole.chat.tries)]
    assert min(gaps) >= 1.0 - 1e-6
    for name in whole.chats:
        for subject in {event.event.subject for event in told}:
            chain = [event for event in told if event.event.subject == subject]
            ended = [str(item.settled_at) for event in chain for item in event.handovers if item.receiver == name]
            assert ended == sorted(ended), "in order"
