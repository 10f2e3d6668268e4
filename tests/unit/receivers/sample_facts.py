"""Sample facts that set an event beside earlier runs, all before ``ENDED``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.training.comparison import (
    Comparison,
    EndFacts,
    OtherVersion,
    Pace,
    SettingChange,
    StuckFacts,
    UsualFacts,
)

ENDED = datetime(2026, 11, 23, 2, 20, 10, tzinfo=UTC)
"""The end of the first answer with the new status, as of every sample."""
POLL = timedelta(seconds=30)


def minutes(number: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=number)


def bounds_ago(ago: timedelta) -> Bounds:
    """Return the bounds of something so long before the middle of the bounds of the sample."""
    return Bounds(after=ENDED - POLL - ago, before=ENDED - ago)


def run_of(ago: timedelta) -> RunStart:
    """Return the start of a run that took so long."""
    bounds = bounds_ago(ago)
    return RunStart(started_after=bounds.after, started_before=bounds.before)


def usual_facts(**changes: Any) -> UsualFacts:
    """Return usual durations of 23 runs, with the changes that a test needs."""
    usual: dict[str, Any] = {
        "median": minutes(54),
        "low": minutes(48),
        "high": minutes(61),
        "longest": minutes(66),
        "runs": 23,
    }
    return UsualFacts(**(usual | changes))


LAST_GOOD = OtherVersion(version="maqkk9zzzzz", ended=bounds_ago(timedelta(days=2, hours=3)))
TOP_N = SettingChange(option="item_top_n", old=20000, new=50000)


def third_failure(**changes: Any) -> Comparison:
    """Return the facts of a third failure in a row, with the changes that a test needs."""
    usual: dict[str, Any] = {
        "usual": usual_facts(),
        "failures": 3,
        "last_good": LAST_GOOD,
        "compared_with": LAST_GOOD.version,
        "changes": (TOP_N,),
    }
    return Comparison(**(usual | changes))


def first_failure(**changes: Any) -> Comparison:
    """Return the facts of a failure after many good runs, whose settings are unchanged."""
    usual: dict[str, Any] = {
        "failures": 1,
        "successes": 41,
        "last_good": OtherVersion(version="maqkz8yyyyy", ended=bounds_ago(timedelta(hours=6, minutes=9))),
        "changes": (),
    }
    return third_failure(**(usual | changes))


def first_success(**changes: Any) -> Comparison:
    """Return the facts of a success after three failures."""
    back = SettingChange(option="item_top_n", old=50000, new=20000)
    usual: dict[str, Any] = {"pace": Pace.USUAL, "compared_with": "maqll0abcde", "changes": (back,)}
    return third_failure(**(usual | changes))


def plain_success(**changes: Any) -> Comparison:
    """Return the facts of a success like many others."""
    usual: dict[str, Any] = {"usual": usual_facts(runs=24), "pace": Pace.USUAL, "last_good": LAST_GOOD}
    return Comparison(**(usual | changes))


def stuck_facts(**changes: Any) -> StuckFacts:
    """Return the facts of a stage that is longer than its learned limit."""
    usual: dict[str, Any] = {
        "level": 1,
        "whole_run": False,
        "since": bounds_ago(timedelta(hours=2, minutes=40)),
        "limit": timedelta(hours=2, minutes=37),
        "next_limit": timedelta(hours=7, minutes=51),
        "usual": usual_facts(median=minutes(37), low=minutes(31), high=minutes(44), longest=minutes(58)),
        "learned": True,
    }
    return StuckFacts(**(usual | changes))


UNSTUCK = stuck_facts(
    since=bounds_ago(minutes(52)),
    usual=usual_facts(median=minutes(4), low=minutes(2), high=minutes(6), longest=minutes(9)),
    reported_at=ENDED - minutes(28),
)
EXPECTED_END = EndFacts(median=ENDED + minutes(39), low=ENDED + minutes(28), high=ENDED + minutes(58), runs=23)
