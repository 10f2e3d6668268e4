"""R12: a status that flaps within an interval, and replicas that answer an old state."""

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
from tests.support.virtual import Ear, VirtualClock, World, broken_invariants, run, service_polls, watching
from watcher.core.event import Event
from watcher.core.routing.routes import DIGEST_PATIENCE, FLAP_LIMIT, Group

pytestmark = pytest.mark.slow

HOUR: Final = 3600.0
DIGESTS_AN_HOUR: Final = math.ceil(HOUR / DIGEST_PATIENCE.total_seconds())
LARGEST: Final = Group(key="", patience=DIGEST_PATIENCE).largest
NAME: Final = ("s1", "v1")

Word = Callable[[float, str], str]
"""Virtual seconds and a path to the word that is shown."""


def hours() -> int:
    """Return how long the unrest lasts."""
    return 6 if TALLY.full else 2


def busiest_hour(moments: Sequence[float]) -> int:
    """Return how many of these moments the fullest hour holds."""
    return max(sum(first <= moment < first + HOUR for moment in moments) for first in moments)


def in_turn(*words: str) -> Word:
    """Return what shows these one after the other, as replicas that take turns do."""
    turns: Iterator[str] = itertools.cycle(words)
    return lambda _now, _path: next(turns)


def at_random(*words: str) -> Word:
    """Return what shows any of these, as a replica that is behind does now and then."""
    draw = random.Random(12)  # noqa: S311 - which replica answers
    return lambda _now, _path: draw.choice(words)


def turning(seconds: float, *words: str) -> Word:
    """Return what really changes every so many seconds, whoever looks."""
    return lambda now, _path: words[int(now / seconds) % len(words)]


def late_views(old: str, new: str) -> Word:
    """Return what shows an old state whenever a training is asked for by itself."""
    return lambda _now, path: old if "/versions/" in path else new


def watch(folder: Path, before: str, word: Word, after: str, trainings: int = 1) -> Ear:
    """Watch trainings that show ``before``, then for hours what ``word`` says, then ``after``; judge what was told."""
    names = [("s1", f"v{number}") for number in range(1, trainings + 1)]

    async def main(clock: VirtualClock) -> tuple[World, Ear]:
        world, ear = World(clock, trainings=dict.fromkeys(names, before)), Ear()
        await changes_under_way(folder, world, ear, word, after)
        return world, ear

    world, ear = run(main, threads=False)
    assert broken_invariants(folder, world, ear) == []
    assert {event.version: event.to_status for event in ear.events} == {version: after for _, version in names}
    return ear


async def changes_under_way(folder: Path, world: World, ear: Ear, word: Word, after: str) -> None:
    """Watch a world that comes to rest in the end."""
    names = [*world.trainings]

    def flapping(now: float, path: str) -> None:
        shown = word(now, path)
        world.trainings = dict.fromkeys(names, shown)

    async with watching(folder, world, ear, service_polls(["s1"]), ring_seconds=5):
        await asyncio.sleep(600)
        world.trouble = flapping
        await asyncio.sleep(hours() * HOUR)
        world.trouble = lambda _now, _path: None
        world.trainings = dict.fromkeys(names, after)
        await asyncio.sleep(HOUR)


def moves(events: Sequence[Event]) -> list[tuple[str | None, str | None]]:
    return [(event.from_status, event.to_status) for event in events]


@pytest.mark.parametrize(
    ("old", "new"), [("waiting", "learning"), ("learning", "completed"), ("learning", "learningFailed")]
)
def test_r12_replicas_that_take_turns_to_answer_an_old_state_make_the_one_true_event(
    tmp_path: Path, old: str, new: str
) -> None:
    ear = watch(tmp_path, old, in_turn(old, new), new)
    assert moves(ear.events) == [(old, new)]


def test_r12_views_that_are_hours_behind_the_list_swallow_no_end_and_repeat_none(tmp_path: Path) -> None:
    ear = watch(tmp_path, "learning", late_views("learning", "completed"), "completed")
    assert moves(ear.events) == [("learning", "completed")]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("waiting", "learning"), "replica"),
        (("learning", "completed"), "replica"),
        (("completed", "learningFailed"), "replica"),
        (("learning", "paused"), "replica"),
        (("learning", "stopping"), "within an interval"),
        (("completed", "learningFailed", "requestFailed"), "within an interval"),
        (("requesting", "waiting", "learning", "completed"), "within an interval"),
    ],
)
def test_r12_what_does_not_come_to_rest_is_capped_announced_in_digests_and_announced_whole(
    tmp_path: Path, words: tuple[str, ...], kind: str
) -> None:
    word = at_random(*words) if kind == "replica" else turning(7, *words)
    ear = watch(tmp_path, words[0], word, words[-1])
    assert busiest_hour(ear.times) <= FLAP_LIMIT + DIGESTS_AN_HOUR
    most = max(Counter(int(event.recorded_at.timestamp() // HOUR) for event in ear.events).values())
    if most > 2 * FLAP_LIMIT:
        assert max(map(len, ear.heard)) > 1, "the rest comes together"
    assert all(later.from_status == earlier.to_status for earlier, later in itertools.pairwise(ear.events))


def test_r12_a_service_whose_every_training_flaps_is_announced_in_digests_that_they_share(tmp_path: Path) -> None:
    trainings = 30
    ear = watch(tmp_path, "waiting", at_random("waiting", "learning"), "learning", trainings)
    alone = [moment for request, moment in zip(ear.heard, ear.times, strict=True) if len(request) == 1]
    together = [len(request) for request in ear.heard if len(request) > 1]
    assert len(ear.events) > 8 * trainings
    assert busiest_hour(alone) <= trainings * FLAP_LIMIT
    assert len(together) <= sum(together) / LARGEST + (hours() + 1) * DIGESTS_AN_HOUR, "not one digest a training"
