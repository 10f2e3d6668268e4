"""Whether a retraining is overdue, by its rules and its starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watcher.core.durations.current_run import Bounds
from watcher.core.training.absence import GoodVersion, Missing, OverdueFacts, overdue_json, read_overdue
from watcher.core.training.overdue import ExpectRule, RetrainingRules, next_overdue, overdue_at, reported
from watcher.core.training.retraining import Retraining, RetrainingRef

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REF = RetrainingRef("main", "s 1/ü", "pop")


def state(*hours_ago: float, good_hours_ago: float | None = None) -> Retraining:
    """Return a retraining with starts and a completion so many hours ago."""
    starts = tuple(bounds(hours) for hours in hours_ago)
    good = None if good_hours_ago is None else GoodVersion(version="v1", ended=bounds(good_hours_ago))
    return Retraining(ref=REF, since=NOW - 100 * HOUR, starts=starts, last_good=good)


def bounds(hours_ago: float) -> Bounds:
    before = NOW - hours_ago * HOUR
    return Bounds(after=before - timedelta(minutes=1), before=before)


def every(hours: float, stale_hours: float | None = None) -> RetrainingRules:
    stale = {} if stale_hours is None else {"*": stale_hours * HOUR}
    return RetrainingRules(expect_every={"*": hours * HOUR}, stale_after=stale)


@pytest.mark.parametrize(
    ("known", "rules", "due_hours_ago"),
    [
        (state(6), every(4), 1),
        (state(6), every(0.25), 5.5 + 1 / 12),
        (state(), every(40), 50),
        (state(*(31 + 6 * count for count in reversed(range(6)))), RetrainingRules(), 23.5),
        (state(*(6 * count for count in reversed(range(6)))), RetrainingRules(stale_after={"pop": 90 * HOUR}), 10),
        (state(1, good_hours_ago=50), every(4, stale_hours=48), 2),
    ],
    ids=["configured", "least-tolerance", "never-started", "learned", "none-completed", "stale"],
)
def test_it_is_overdue_after_the_period_and_the_tolerance(
    known: Retraining, rules: RetrainingRules, due_hours_ago: float
) -> None:
    deadline = NOW - due_hours_ago * HOUR
    assert next_overdue(known, rules) == pytest.approx(deadline, abs=timedelta(seconds=1))
    assert overdue_at(known, rules, deadline - timedelta(seconds=2)) == ()
    (facts,) = overdue_at(known, rules, deadline + timedelta(seconds=1))
    assert facts.expected_at < facts.deadline or facts.missing is Missing.COMPLETED
    assert read_overdue(overdue_json(facts)) == facts


def test_a_reported_absence_is_not_reported_again_but_another_one_is() -> None:
    known, rules = state(30, good_hours_ago=60), every(4, stale_hours=48)
    first, second = overdue_at(known, rules, NOW)
    assert (first.missing, second.missing) == (Missing.START, Missing.COMPLETED)
    after = reported(known, first)
    assert after.seq == 1
    assert [item.missing for item in overdue_at(after, rules, NOW)] == [Missing.COMPLETED]
    assert overdue_at(reported(after, second), rules, NOW + 1000 * HOUR) == ()


@pytest.mark.parametrize(
    "rules",
    [
        RetrainingRules(expect_every={"*": ExpectRule.NEVER}),
        RetrainingRules(expect_every={"*": 4 * HOUR, "pop": ExpectRule.NEVER}),
        RetrainingRules(expect_every={"relatedItem": 4 * HOUR, "*": ExpectRule.NEVER}),
        RetrainingRules(stale_after={"relatedItem": HOUR}, expect_every={"*": ExpectRule.NEVER}),
    ],
)
def test_a_type_without_a_rule_is_never_overdue(rules: RetrainingRules) -> None:
    assert next_overdue(state(*(31 + 6 * count for count in reversed(range(6)))), rules) is None


def test_a_rule_of_a_specific_watch_takes_precedence() -> None:
    both = every(4, stale_hours=9).under(RetrainingRules(expect_every={"pop": HOUR}))
    assert (both.expected("pop"), both.stale("pop")) == (HOUR, 9 * HOUR)


def test_the_subject_can_be_read_back() -> None:
    assert RetrainingRef.from_subject(REF.subject) == REF
    with pytest.raises(ValueError, match="not a retraining"):
        RetrainingRef.from_subject("training:main/s1/pop/v1")


def test_facts_without_starts_survive_the_store() -> None:
    (facts,) = overdue_at(state(), every(4), NOW)
    assert read_overdue(overdue_json(replace(facts, last=None))) == facts
    assert isinstance(facts, OverdueFacts)
