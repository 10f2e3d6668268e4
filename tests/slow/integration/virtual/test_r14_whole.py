"""R13 and R14 with the complete daemon: receivers that fail for hours, and one of five that fails permanently."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process, virtual_daemon
from tests.support.fault_table import remark
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Behaviour, Consumer, VirtualConsumers
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.http import FailureReason, HttpResult, HttpSettings, MaybeSent, NotSent

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
LIMIT_SECONDS: Final = 1.0
STATUSES: Final = ("requesting", "waiting", "learning", "completed")


async def hang(consumer: Consumer, settings: HttpSettings) -> HttpResult:
    asked_at = consumer.clock.utc_now()
    await asyncio.sleep(settings.timeout_seconds)
    return virtual_daemon.deadline_result(consumer.clock, asked_at=asked_at)


def reset(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
    now = consumer.clock.utc_now()
    return MaybeSent(reason=FailureReason.RESET, detail="reset", asked_at=now, ended_at=now)


def no_connection(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
    now = consumer.clock.utc_now()
    return NotSent(reason=FailureReason.CONNECT, detail="refused", asked_at=now, ended_at=now)


def responding(status: int, headers: Mapping[str, str] | None = None) -> Behaviour:
    return lambda consumer, _settings: consumer.respond(status, headers=headers)


FAILURES: Final[Mapping[str, Behaviour]] = {
    "hangs": hang,
    "resets": reset,
    "no connection": no_connection,
    "503": responding(503),
    "429 for ever": responding(429, {"retry-after": "1000000000"}),
    "redirects": responding(302, {"location": "https://elsewhere.example/"}),
    "410": responding(410),
}
RARER: Final = frozenset({"resets", "503", "429 for ever", "redirects"})
"""Failures that resemble another one; they run in the full suite only."""


@pytest.mark.parametrize(
    "failure", [pytest.param(name, marks=pytest.mark.torture if name in RARER else ()) for name in FAILURES]
)
def test_r14_one_of_five_receivers_that_fails_in_any_way_delays_no_other_and_is_announced_through_another(
    tmp_path: Path, failure: str
) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        hooks = {f"hook-{number}": Consumer(clock) for number in range(5)}
        hooks["hook-2"].behaviour = FAILURES[failure]
        consumers = VirtualConsumers(tmp_path, clock, hooks, interval_seconds=5, delivery='give_up_after = "1h"')
        for number in range(10):
            consumers.set_status(f"v{number}", "ready")
        async with consumers.running():
            await asyncio.sleep(60)
            for status in STATUSES:
                for number in range(10):
                    consumers.set_status(f"v{number}", status)
                    await asyncio.sleep(7)
            await asyncio.sleep(1.5 * HOUR)
            await consumers.wait_until_delivered()
        assert consumers.broken_invariants() == []
        return consumers

    consumers = run(main)
    recorded = {event.id: event for event in consumers.recorded()}
    waits: list[float] = []
    for name, hook in consumers.hooks.items():
        first = {event["id"]: item.at for item in reversed(hook.received) for event in item.events}
        if name == "hook-2":
            assert first == {}
            continue
        waits += [(at - recorded[identity].recorded_at).total_seconds() for identity, at in first.items()]
        assert {Kind.RECEIVER_FAILING, Kind.UNDELIVERED} & {recorded[identity].kind for identity in first}
        assert {identity for identity, event in recorded.items() if event.version is not None} <= first.keys()
    remark(f"one of five fails: the others get events after {max(waits):.2f} s at most")
    assert max(waits) <= LIMIT_SECONDS
    outcomes = [
        item
        for announced in daemon_in_process.history(tmp_path)
        for item in announced.delivery_outcomes
        if item.receiver == "hook-2"
    ]
    assert {item.state for item in outcomes} == {State.DEAD}


@pytest.mark.parametrize(
    ("outage_seconds", "alerts"),
    [(HOUR / 4, 100), *(pytest.param(outage, 1_000, marks=pytest.mark.torture) for outage in (HOUR, DAY))],
)
def test_r13_two_receivers_of_one_failed_channel_get_everything_in_order_at_one_a_second(
    tmp_path: Path, outage_seconds: float, alerts: int
) -> None:
    trainings = alerts // len(STATUSES)

    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(
            tmp_path, clock, {"hook": Consumer(clock)}, chats=("chat", "same"), interval_seconds=60
        )
        consumers.chat.behaviour = lambda chat, _: chat.respond(503) if clock.monotonic() < outage_seconds else None
        for number in range(trainings):
            consumers.set_status(f"v{number}", "ready")
        start = outage_seconds / 10
        async with consumers.running():
            await asyncio.sleep(start)
            for status in STATUSES[:2]:
                for number in range(trainings):
                    consumers.set_status(f"v{number}", status)
                    await asyncio.sleep(outage_seconds / 4 / trainings)
        # Pending deliveries and the pace outlive a restart.
        async with consumers.running():
            for status in STATUSES[2:]:
                for number in range(trainings):
                    consumers.set_status(f"v{number}", status)
                    await asyncio.sleep(outage_seconds / 8 / trainings)
            await asyncio.sleep(max(0.0, outage_seconds - clock.monotonic()))
            await consumers.wait_until_delivered(3 * HOUR + 4 * alerts)
        assert consumers.broken_invariants() == []
        return consumers

    consumers = run(main)
    announced = daemon_in_process.history(tmp_path)
    assert sum(event.event.version is not None for event in announced) == alerts
    # The outage lasts as long as failing_after, so that the receivers of the channel may be announced to the others.
    others = {event.event.kind for event in announced if event.event.version is None}
    assert others <= {Kind.RECEIVER_FAILING, Kind.RECEIVER_RECOVERED}
    assert {event.event.receiver.name for event in announced if event.event.receiver} <= {*consumers.chats}
    assert {item.state for event in announced for item in event.delivery_outcomes} == {State.DELIVERED}
    deliveries = {
        item.delivery_id for event in announced for item in event.delivery_outcomes if item.receiver in consumers.chats
    }
    assert len(consumers.chat.received) == len(deliveries)
    gaps = [later - earlier for earlier, later in itertools.pairwise(consumers.chat.attempt_times)]
    assert min(gaps) >= 1.0 - 1e-6
    for name in consumers.chats:
        for subject in {event.event.subject for event in announced}:
            chain = [event for event in announced if event.event.subject == subject]
            ended = [
                str(item.settled_at) for event in chain for item in event.delivery_outcomes if item.receiver == name
            ]
            assert ended == sorted(ended), "in order"
