"""When the next update of a cycle is expected, and by when it is late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watcher.core.durations.current_run import Bounds
from watcher.core.training.absence import OverdueFacts
from watcher.core.training.overdue import LEARNED_PERIODS, next_overdue, overdue_at
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.cycle import Cycle
from watcher.core.updates.schedule import CYCLES

NOW = datetime(2026, 11, 29, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def at(hours: float) -> Bounds:
    time = NOW + hours * HOUR
    return Bounds(after=time - 2 * MINUTE, before=time)


def state(since: float, update: float | None = None, training: float | None = None) -> Retraining:
    """Return a retraining with a cycle of six hours, that was seen first ten days ago."""
    cycle = Cycle(period=6 * HOUR, since=NOW + since * HOUR, last_update=None if update is None else at(update))
    starts = () if training is None else (at(training),)
    return Retraining(ref=RetrainingRef("main", "s", "pop"), since=NOW - 240 * HOUR, starts=starts, cycle=cycle)


def expected(known: Retraining) -> OverdueFacts:
    (facts,) = overdue_at(known, LEARNED_PERIODS, NOW + 999 * HOUR)
    return facts


@pytest.mark.parametrize(
    ("known", "last", "deadline"),
    [
        (state(0), None, 7.5),
        (state(0, update=3), 3, 10.5),
        (state(0, training=3), 3, 10.5),
        (state(0, update=4, training=3), 4, 11.5),
        (state(0, update=3, training=4), 4, 11.5),
        (state(0, update=-50), -50, 7.5),
        (state(0, training=-50), -50, 7.5),
    ],
    ids=["none seen", "an update", "a training", "an update last", "a training last", "old update", "old training"],
)
def test_the_latest_start_counts_and_never_one_before_the_cycle_was_known(
    known: Retraining, last: float | None, deadline: float
) -> None:
    facts = expected(known)
    assert facts.last == (None if last is None else at(last))
    assert facts.deadline == NOW + deadline * HOUR == next_overdue(known, LEARNED_PERIODS)
    assert facts.deadline - 1.5 * HOUR - MINUTE <= facts.expected_at <= facts.deadline - 1.5 * HOUR
    assert (facts.by_cycle, facts.period, facts.starts) == (True, 6 * HOUR, None)


@pytest.mark.parametrize(("word", "minutes"), [("hour1", 15), ("hour3", 45), ("hour6", 90), ("hour12", 180)])
def test_the_tolerance_is_a_quarter_of_the_cycle(word: str, minutes: int) -> None:
    known = state(0)
    assert known.cycle is not None
    facts = expected(replace(known, cycle=replace(known.cycle, period=CYCLES[word])))
    assert facts.deadline - facts.expected_at == minutes * MINUTE
