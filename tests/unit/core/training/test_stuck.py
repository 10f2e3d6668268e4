"""When a training may be stuck: the limits in force, their deadlines and their levels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.durations.current_run import Bounds, CurrentRun, LearnedLimits, RunStart, Stage
from watcher.core.durations.stuck_limit import StuckLimit
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.stuck import after_gap, after_limits, limits_in_force, next_deadline, reported_before
from watcher.core.training.stuck_rules import LEARNED_RULES, StuckRule, StuckRules

START: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
ENTERED: Final = Bounds(after=START + 9 * MINUTE, before=START + 10 * MINUTE)
RUN: Final = CurrentRun(
    start=RunStart(started_after=START - MINUTE, started_before=START),
    stages=(Stage(status="learning", entered=ENTERED),),
    limits=LearnedLimits(stage=StuckLimit(first=60 * MINUTE, runs=8), run=StuckLimit(first=90 * MINUTE, runs=8)),
)


def known(run: CurrentRun | None = RUN) -> Snapshot:
    ref = TrainingRef("main", "s", "pop", "v1")
    return Snapshot(ref=ref, status="learning", seen_after=START, first_seen_at=START + 5 * MINUTE, run=run)


def reports(rules: StuckRules, *minutes: int, run: CurrentRun = RUN) -> list[tuple[int, bool] | None]:
    """Return the level and the scope that answers after these minutes report."""
    found = []
    for minute in minutes:
        run, facts = after_limits(known(run), run, rules, START + minute * MINUTE)
        found.append(None if facts is None else (facts.level, facts.whole_run))
    return found


def test_each_level_is_reported_once_in_a_stage_and_the_runs_limit_says_nothing_more() -> None:
    assert reports(LEARNED_RULES, 69, 70, 71, 95, 189, 190, 300, 9999) == [
        None, (1, False), None, None, None, (2, False), None, None,
    ]  # fmt: skip


def test_the_limit_of_the_run_is_reported_where_each_stage_is_within_its_own() -> None:
    long_stage = replace(RUN, limits=replace(RUN.limits, stage=StuckLimit(first=500 * MINUTE, runs=8)))  # type: ignore[type-var]
    assert reports(LEARNED_RULES, 89, 90, 200, 270, 300, run=long_stage) == [None, (1, True), None, (2, True), None]


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        (LEARNED_RULES, 70),
        (StuckRules(usual=20 * MINUTE), 30),
        (StuckRules(stages={"learning": 20 * MINUTE}), 30),
        (StuckRules(stages={"waiting": 20 * MINUTE}), 70),
        (StuckRules(stages={"learning": StuckRule.NEVER}), 90),
        (StuckRules(usual=StuckRule.NEVER), None),
        (StuckRules(usual=StuckRule.NEVER, stages={"learning": StuckRule.LEARNED}), 70),
    ],
)
def test_a_watch_may_set_limits_by_stage(rules: StuckRules, first: int | None) -> None:
    assert next_deadline(known(), rules) == (None if first is None else START + first * MINUTE)


@pytest.mark.parametrize("run", [None, replace(RUN, limits=None), replace(RUN, limits=LearnedLimits())])
def test_without_limits_there_is_no_deadline(run: CurrentRun | None) -> None:
    assert next_deadline(known(run), LEARNED_RULES) is None


def test_a_run_that_is_being_stopped_has_the_limit_of_its_stage_alone() -> None:
    stopping = replace(RUN, stages=(*RUN.stages, Stage(status="stopping", entered=ENTERED)))
    assert [item.whole_run for item in limits_in_force(known(stopping), LEARNED_RULES)] == [False]


def test_a_gone_training_has_no_limits() -> None:
    assert limits_in_force(replace(known(), gone=True), StuckRules(usual=MINUTE)) == ()


@pytest.mark.parametrize(("entered", "start"), [(None, RUN.start), (ENTERED, None)])
def test_a_report_says_whether_polls_saw_the_begin(entered: Bounds | None, start: RunStart | None) -> None:
    run = replace(RUN, start=start, stages=(Stage(status="learning", entered=entered),))
    assert [(item.whole_run, item.begin_seen) for item in limits_in_force(known(run), LEARNED_RULES)] == [
        (False, entered is not None),
        (True, start is not None),
    ]
    run, facts = after_limits(known(run), run, LEARNED_RULES, START + 80 * MINUTE)
    assert facts is not None
    before = reported_before(known(run), LEARNED_RULES)
    assert before is not None
    assert facts.begin_seen == before.begin_seen == (entered is not None)


def test_a_stage_that_the_first_poll_found_counts_from_that_poll() -> None:
    found = replace(RUN, start=None, stages=(Stage(status="learning", entered=None),))
    assert next_deadline(known(found), LEARNED_RULES) == START + 65 * MINUTE


def test_a_gap_in_polling_moves_the_deadline_by_its_length() -> None:
    run = after_gap(RUN, START + 20 * MINUTE, START + 50 * MINUTE)
    assert next_deadline(known(run), LEARNED_RULES) == START + 100 * MINUTE
    assert after_gap(RUN, START + 50 * MINUTE, START + 20 * MINUTE) is RUN


def test_the_next_stage_has_a_limit_and_a_report_of_its_own() -> None:
    run, _ = after_limits(known(), RUN, LEARNED_RULES, START + 80 * MINUTE)
    before = reported_before(known(run), LEARNED_RULES)
    assert before is not None
    assert (before.level, before.since, before.reported_at) == (1, ENTERED, START + 80 * MINUTE)
    moved = run.with_stage(Stage(status="stopping", entered=ENTERED))
    assert (moved.report, moved.limits, moved.stage_level, moved.run_level) == (None, None, 0, 0)


@given(
    minutes=st.lists(st.integers(0, 2000), max_size=30), rule=st.sampled_from([LEARNED_RULES, StuckRules(usual=MINUTE)])
)
def test_the_reported_levels_only_rise_whatever_the_times_of_the_answers(minutes: list[int], rule: StuckRules) -> None:
    levels = [item[0] for item in reports(rule, *minutes) if item is not None]
    assert levels == sorted(set(levels))
    assert set(levels) <= {1, 2}


@given(minute=st.integers(0, 2000))
def test_nothing_is_reported_before_the_deadline_and_something_at_it(minute: int) -> None:
    deadline = next_deadline(known(), LEARNED_RULES)
    assert deadline is not None
    assert (reports(LEARNED_RULES, minute) != [None]) is (START + minute * MINUTE >= deadline)
