"""The data of ``stats``: groups, rates, streaks, durations and their trend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from watcher.core.durations.past_runs import Outcome
from watcher.reports.runs.stats import (
    FIELDS,
    By,
    OutcomeStreak,
    RunLine,
    StatsGroup,
    StatsRow,
    run_rows,
    stage_rows,
    stage_seconds,
    tallied,
)

POP = StatsGroup("main", "s", "pop")
OUTCOMES = {"c": "completed", "f": "failed", "s": "stopped"}


def lines(word: str, seconds: float | None = None, kind: str = "pop") -> list[RunLine]:
    """Return one run a letter: completed, failed or stopped."""
    return [("main", "s", kind, OUTCOMES[letter], seconds if letter == "c" else None) for letter in word]


def row(now: Sequence[RunLine], before: Sequence[RunLine] = (), by: By = By.TYPE) -> StatsRow:
    earlier = tallied([before], by)
    (found,) = run_rows(tallied([now[:1], now[1:]], by, earlier), earlier)
    return found


@pytest.mark.parametrize(
    ("word", "rate"), [("c", 1.0), ("f", 0.0), ("cccf", 0.75), ("cfss", 0.5), ("s", None)], ids=str
)
def test_the_success_rate_is_the_completed_share_of_those_that_completed_or_failed(
    word: str, rate: float | None
) -> None:
    assert row(lines(word)).success_rate == rate


@pytest.mark.parametrize(
    ("before", "word", "streak"),
    [
        ("", "cff", OutcomeStreak(Outcome.FAILED, 2)),
        ("", "ffc", OutcomeStreak(Outcome.COMPLETED, 1)),
        ("", "fsf", OutcomeStreak(Outcome.FAILED, 2)),
        ("", "s", None),
        ("cc", "cc", OutcomeStreak(Outcome.COMPLETED, 4)),
        ("cf", "cc", OutcomeStreak(Outcome.COMPLETED, 2)),
        ("cff", "s", OutcomeStreak(Outcome.FAILED, 2)),
        ("cff", "", OutcomeStreak(Outcome.FAILED, 2)),
    ],
)
def test_a_streak_goes_on_from_the_period_before(before: str, word: str, streak: OutcomeStreak | None) -> None:
    assert row(lines(word), lines(before)).streak == streak


def test_durations_need_five_completed_runs_that_teach() -> None:
    few = row([*lines("cccc", 60.0), *lines("c")])
    enough = row([*lines("ccccf", 60.0), *lines("c", 120.0)])
    assert (few.runs, few.usual, few.trend) == (5, None, None)
    assert enough.usual is not None
    assert (enough.usual.runs, enough.usual.longest) == (5, timedelta(minutes=2))


@pytest.mark.parametrize(("before", "now", "trend"), [(100.0, 112.0, 0.12), (100.0, 50.0, -0.5), (100.0, 100.0, 0.0)])
def test_the_trend_is_the_change_of_the_median(before: float, now: float, trend: float) -> None:
    assert row(lines("ccccc", now), lines("ccccc", before)).trend == pytest.approx(trend)


@pytest.mark.parametrize(("now", "before"), [("ccccc", "cccc"), ("cccc", "ccccc"), ("", "ccccc")])
def test_there_is_no_trend_where_one_of_the_medians_is_not_known(now: str, before: str) -> None:
    found = row(lines(now, 60.0), lines(before, 60.0))
    assert (found.runs, found.previous_runs, found.trend) == (len(now), len(before), None)


def test_a_group_is_a_service_or_a_type_of_one() -> None:
    page = [*lines("cc"), *lines("f", kind="relatedItem"), ("test", "s", "pop", "failed", None)]
    services = run_rows(tallied([page], By.SERVICE), {})
    types = run_rows(tallied([page], By.TYPE), {})
    assert [(item.group, item.runs) for item in services] == [
        (StatsGroup("main", "s"), 3),
        (StatsGroup("test", "s"), 1),
    ]
    assert [(item.group.type, item.runs) for item in types] == [("pop", 2), ("relatedItem", 1), ("pop", 1)]


def test_stages_come_in_the_order_of_a_training_and_unknown_ones_last() -> None:
    words = ("strange", "learning", "waiting", "requesting")
    known = stage_seconds([[("main", "s", "pop", word, 60.0) for word in words * 5]])
    rows = list(stage_rows(known, stage_seconds([[("main", "s", "pop", "learning", 30.0)] * 5])))
    assert [item.group.stage for item in rows] == ["requesting", "waiting", "learning", "strange"]
    assert [item.trend for item in rows] == [None, None, pytest.approx(1.0), None]


def test_json_has_the_documented_fields_in_seconds_and_shares() -> None:
    data = row(lines("cccccf", 60.0), lines("ccccc", 30.0)).as_json()
    assert tuple(data) == FIELDS
    assert data | {"low_seconds": 0, "high_seconds": 0} == {
        "account": "main",
        "service": "s",
        "service_name": None,
        "training_type": "pop",
        "stage": None,
        "runs": 6,
        "completed": 5,
        "failed": 1,
        "stopped": 0,
        "success_rate": 5 / 6,
        "streak_outcome": "failed",
        "streak_runs": 1,
        "timed_runs": 5,
        "median_seconds": 60.0,
        "low_seconds": 0,
        "high_seconds": 0,
        "longest_seconds": 60.0,
        "trend": 1.0,
        "previous_runs": 5,
        "previous_success_rate": 1.0,
        "previous_median_seconds": 30.0,
    }
