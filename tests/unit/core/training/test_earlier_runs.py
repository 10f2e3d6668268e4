"""A run beside earlier ones: streak, settings, durations, limits and the expected end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from tests.support.runs import DAY, FIRST_END, ended_run
from watcher.core.durations.current_run import CurrentRun, LearnedLimits, RunStart, Stage
from watcher.core.durations.past_runs import Outcome, PastRun
from watcher.core.training.comparison import (
    Comparison,
    Pace,
    SettingChange,
    comparison_json,
    read_comparison,
    setting_changes,
)
from watcher.core.training.earlier_runs import EarlierRuns, KnownVersion, Samples, compared, end_facts, learned_limits
from watcher.core.training.run import EndedRun

NOW: Final = FIRST_END + 30 * DAY
MINUTE: Final = timedelta(minutes=1)
CONFIG: Final[dict[str, object]] = {"is_enabled": True, "item_top_n": 20000}


def past(*minutes: float) -> tuple[PastRun, ...]:
    runs = (ended_run(number, duration).past_run for number, duration in enumerate(minutes))
    return tuple(run for run in runs if run is not None)


def version(run: EndedRun, config: dict[str, object] | None = CONFIG) -> KnownVersion:
    return KnownVersion(version=run.ref.version, ended=run.ended, config=config)


GOOD: Final = version(ended_run(10))
EARLIER: Final = EarlierRuns(completed=past(*[50, 52, 49, 51, 48, 53] * 2), successes=12, last_good=GOOD)


def compare(run: EndedRun, earlier: EarlierRuns = EARLIER, config: dict[str, object] | None = CONFIG) -> Comparison:
    return compared(run, earlier, Samples(earlier, NOW), config)


def test_a_first_failure_names_the_good_runs_before_it_and_the_last_good_version() -> None:
    facts = compare(ended_run(11, outcome=Outcome.FAILED), config={**CONFIG, "item_top_n": 50000})
    assert (facts.failures, facts.successes, facts.compared_with) == (1, 12, "v10")
    assert facts.last_good is not None
    assert facts.last_good.version == "v10"
    assert facts.changes == (SettingChange(option="item_top_n", old=20000, new=50000),)
    assert facts.usual is not None
    assert (facts.usual.runs, facts.pace) == (12, Pace.UNKNOWN)


def test_runs_of_one_answer_count_one_after_the_other() -> None:
    first, second = (ended_run(number, outcome=Outcome.FAILED) for number in (11, 12))
    after = EARLIER.with_run(first, CONFIG)
    assert [compare(run, earlier).failures for run, earlier in ((first, EARLIER), (second, after))] == [1, 2]
    good = ended_run(13)
    assert (compare(good, after).failures, compare(good, after).compared_with) == (1, "v11")
    recovered = after.with_run(good, CONFIG)
    assert (recovered.failures, recovered.successes, recovered.last_good) == (0, 1, version(good))
    assert recovered.with_run(ended_run(14, outcome=Outcome.STOPPED), CONFIG) is recovered


@pytest.mark.parametrize(
    ("minutes", "pace"), [(50, Pace.USUAL), (55, Pace.LONG), (90, Pace.TOO_LONG), (20, Pace.FAST), (0, Pace.UNKNOWN)]
)
def test_a_completed_run_is_fast_usual_or_long(minutes: float, pace: Pace) -> None:
    assert compare(ended_run(11, minutes)).pace is pace


def test_a_run_is_not_fast_where_its_bounds_allow_a_usual_duration() -> None:
    assert compare(ended_run(11, 20, width=10 * MINUTE)).pace is not Pace.FAST


@pytest.mark.parametrize(("other", "config"), [(None, CONFIG), (replace(GOOD, config=None), CONFIG), (GOOD, None)])
def test_settings_are_compared_only_where_both_are_known(
    other: KnownVersion | None, config: dict[str, object] | None
) -> None:
    facts = compare(ended_run(11, outcome=Outcome.FAILED), replace(EARLIER, last_good=other), config)
    assert (facts.compared_with, facts.changes) == (None, ())


def test_too_few_runs_of_the_service_give_the_usual_durations_of_the_account_and_no_limit() -> None:
    earlier = EarlierRuns(completed=past(50, 51), completed_in_account=past(20, 21, 22, 23, 24))
    usual = compare(ended_run(11), earlier).usual
    assert usual is not None
    assert (usual.whole_account, usual.runs) == (True, 5)
    run = CurrentRun(start=None, stages=(Stage(status="learning", entered=None),))
    assert learned_limits(run, Samples(earlier, NOW), NOW) == LearnedLimits()


def test_a_run_in_progress_has_the_limits_of_its_stage_and_of_the_run_and_an_expected_end() -> None:
    earlier = replace(EARLIER, stages={"learning": past(*[40, 42, 41, 43, 44])})
    start = RunStart(started_after=NOW - 10 * MINUTE, started_before=NOW - 10 * MINUTE)
    run = CurrentRun(start=start, stages=(Stage(status="learning", entered=None),))
    limits = learned_limits(run, Samples(earlier, NOW), NOW)
    assert limits.stage is not None
    assert limits.run is not None
    assert (limits.stage.runs, limits.run.runs) == (5, 12)
    end = end_facts(run, Samples(earlier, NOW), NOW)
    assert end is not None
    assert NOW + 35 * MINUTE < end.low < end.median < end.high < NOW + 50 * MINUTE
    assert end_facts(replace(run, start=None), Samples(earlier, NOW), NOW) is None


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": "1"}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({}, {"b": {"c": [1]}}, [("b.c", None, [1])]),
        ({"b": {"c": 1}, "a": True}, {"b": {"c": 1}, "a": False}, [("a", True, False)]),
        ({"a": True}, {"a": "True"}, [("a", True, "True")]),
    ],
)
def test_settings_differ_by_option(
    old: dict[str, object], new: dict[str, object], changed: list[tuple[str, object, object]]
) -> None:
    assert [(item.option, item.old, item.new) for item in setting_changes(old, new)] == changed


def test_a_comparison_is_read_as_it_was_written() -> None:
    facts = compare(ended_run(11, outcome=Outcome.FAILED), config={**CONFIG, "b": {"c": [1, "ä"]}})
    assert read_comparison(comparison_json(facts)) == facts
    assert read_comparison(None) is None
