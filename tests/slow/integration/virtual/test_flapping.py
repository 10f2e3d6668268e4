"""R12: a status that flaps within an interval, and replicas that answer with an old state."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.support.fault_table import TALLY
from tests.support.virtual import (
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.event import Event, Kind
from watcher.core.routing.routes import DIGEST_PATIENCE, FLAP_LIMIT, Group

HOUR: Final = 3600.0
DIGESTS_AN_HOUR: Final = math.ceil(HOUR / DIGEST_PATIENCE.total_seconds())
LARGEST: Final = Group(key="", patience=DIGEST_PATIENCE).largest
NAME: Final = ("s1", "v1")

StatusSource = Callable[[float, str], str]
"""Returns the shown status for virtual seconds and a path."""


def hours() -> int:
    """Return the number of hours with a flapping status."""
    return 6 if TALLY.full else 2


def busiest_hour(times: Sequence[float]) -> int:
    """Return the largest number of these times within an hour."""
    return max(sum(first <= time < first + HOUR for time in times) for first in times)


def in_turn(*statuses: str) -> StatusSource:
    """Return a source of these statuses in turn, as from alternating replicas."""
    turns: Iterator[str] = itertools.cycle(statuses)
    return lambda _now, _path: next(turns)


def at_random(*statuses: str) -> StatusSource:
    """Return a source of random statuses, as from a replica that sometimes lags."""
    draw = random.Random(12)  # noqa: S311 - which replica answers
    return lambda _now, _path: draw.choice(statuses)


def changing_every(seconds: float, *statuses: str) -> StatusSource:
    """Return a source whose status changes every so many seconds."""
    return lambda now, _path: statuses[int(now / seconds) % len(statuses)]


def late_views(old: str, new: str) -> StatusSource:
    """Return a source with the old status in views and the new one in lists."""
    return lambda _now, path: old if "/versions/" in path else new


def watch(folder: Path, before: str, source: StatusSource, after: str, trainings: int = 1) -> FakeReceiver:
    """Watch trainings that flap for hours between the statuses ``before`` and ``after``; check the result."""
    names = [("s1", f"v{number}") for number in range(1, trainings + 1)]

    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        api, receiver = FakeApi(clock, trainings=dict.fromkeys(names, before)), FakeReceiver()
        await watch_flapping(folder, api, receiver, source, after)
        return api, receiver

    api, receiver = run(main)
    assert broken_invariants(folder, api, receiver) == []
    assert {event.version: event.to_status for event in receiver.events} == {version: after for _, version in names}
    return receiver


async def watch_flapping(folder: Path, api: FakeApi, receiver: FakeReceiver, source: StatusSource, after: str) -> None:
    """Poll an API whose statuses flap and settle in the end."""
    names = [*api.trainings]

    def flapping(now: float, path: str) -> None:
        if "?" in path:
            # The page behind the list shows no training, so it takes no turn.
            return
        api.trainings = dict.fromkeys(names, source(now, path))

    async with running_pipeline(folder, api, receiver, service_polls(["s1"]), tick_seconds=5):
        await asyncio.sleep(600)
        api.fault = flapping
        await asyncio.sleep(hours() * HOUR)
        api.fault = lambda _now, _path: None
        api.trainings = dict.fromkeys(names, after)
        await asyncio.sleep(HOUR)


def changes(events: Sequence[Event]) -> list[tuple[str | None, str | None]]:
    return [(event.from_status, event.to_status) for event in events]


@pytest.mark.parametrize(
    ("old", "new"), [("waiting", "learning"), ("learning", "completed"), ("learning", "learningFailed")]
)
def test_r12_alternating_replicas_with_an_old_state_give_one_true_event(tmp_path: Path, old: str, new: str) -> None:
    receiver = watch(tmp_path, old, in_turn(old, new), new)
    assert changes(receiver.events) == [(old, new)]


def test_r12_views_that_lag_hours_behind_the_list_neither_hide_nor_repeat_an_end(tmp_path: Path) -> None:
    receiver = watch(tmp_path, "learning", late_views("learning", "completed"), "completed")
    assert changes(receiver.events) == [("learning", "completed")]


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        (("waiting", "learning"), "replica"),
        pytest.param(("learning", "completed"), "replica", marks=pytest.mark.torture),
        (("completed", "learningFailed"), "replica"),
        (("learning", "paused"), "replica"),
        pytest.param(("learning", "stopping"), "within an interval", marks=pytest.mark.torture),
        (("completed", "learningFailed", "requestFailed"), "within an interval"),
        (("requesting", "waiting", "learning", "completed"), "within an interval"),
    ],
)
def test_r12_a_status_that_keeps_changing_is_announced_in_a_limited_number_of_messages_and_digests(
    tmp_path: Path, statuses: tuple[str, ...], kind: str
) -> None:
    source = at_random(*statuses) if kind == "replica" else changing_every(7, *statuses)
    receiver = watch(tmp_path, statuses[0], source, statuses[-1])
    # Failures are counted apart: other changes do not make one wait in a digest.
    counts = {event.kind is Kind.FAILED for event in receiver.events}
    assert busiest_hour(receiver.times) <= FLAP_LIMIT * len(counts) + DIGESTS_AN_HOUR
    most = max(Counter(int(event.recorded_at.timestamp() // HOUR) for event in receiver.events).values())
    if most > 2 * FLAP_LIMIT:
        assert max(map(len, receiver.messages)) > 1, "further events come in digests"
    assert all(later.from_status == earlier.to_status for earlier, later in itertools.pairwise(receiver.events))


def test_r12_flapping_trainings_of_one_service_share_its_digests(tmp_path: Path) -> None:
    trainings = 30
    receiver = watch(tmp_path, "waiting", at_random("waiting", "learning"), "learning", trainings)
    single = [time for request, time in zip(receiver.messages, receiver.times, strict=True) if len(request) == 1]
    digests = [len(request) for request in receiver.messages if len(request) > 1]
    assert len(receiver.events) > 8 * trainings
    assert busiest_hour(single) <= trainings * FLAP_LIMIT
    assert len(digests) <= sum(digests) / LARGEST + (hours() + 1) * DIGESTS_AN_HOUR, "not one digest a training"
