"""The deadlines of a poll's trainings: computed at a change, and the same as if each were asked anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.durations.current_run import Bounds, CurrentRun, LearnedLimits, RunStart, Stage
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.stuck import next_deadline
from watcher.core.training.stuck_rules import StuckRules
from watcher.pipeline.polling.runs.deadlines import Deadlines, PollDeadlines, rules_of

START: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIMIT: Final = timedelta(hours=1)
CADENCE: Final = Cadence(interval=timedelta(seconds=60), idle_interval=timedelta(seconds=60))
COMPUTED: Final = "watcher.pipeline.polling.runs.deadlines.next_deadline"


def a_poll(limit: timedelta = LIMIT) -> Poll:
    return Poll(
        service=ServiceRef("main", "s"),
        whole_service=True,
        cadence=CADENCE,
        attributes=WatchAttributes(stuck_rules=StuckRules(usual=limit)),
    )


def limited(number: int, passes_after_seconds: float, *, known: bool = True, gone: bool = False) -> Snapshot:
    """Return a training whose limit passes after this time, or whose limits are not looked up yet."""
    entered = START + timedelta(seconds=passes_after_seconds) - LIMIT
    run = CurrentRun(
        start=RunStart(started_after=entered, started_before=entered),
        stages=(Stage(status="learning", entered=Bounds(after=entered, before=entered)),),
        limits=LearnedLimits() if known else None,
    )
    ref = TrainingRef("main", "s", "pop", f"v{number}")
    return Snapshot(ref=ref, status="learning", seen_after=START, first_seen_at=START, run=run, gone=gone)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_the_next_deadline_is_the_earliest_that_is_still_to_come() -> None:
    deadlines = PollDeadlines(a_poll(), [limited(1, 30), limited(2, 10)])
    assert deadlines.earliest(at(0)) == at(10)
    assert deadlines.earliest(at(10)) == at(30)
    assert deadlines.earliest(at(99)) is None


def test_a_training_is_due_from_its_deadline_on_and_without_known_limits_at_once() -> None:
    deadlines = PollDeadlines(a_poll(), [limited(1, 10), limited(2, 30), limited(3, 50, known=False)])
    assert versions(deadlines.due(at(9))) == {"v3"}
    assert versions(deadlines.due(at(10))) == {"v1", "v3"}


def test_a_step_back_of_the_clock_makes_a_passed_deadline_one_to_come() -> None:
    deadlines = PollDeadlines(a_poll(), [limited(1, 10)])
    assert deadlines.due(at(20))
    assert deadlines.due(at(5)) == set()
    assert deadlines.earliest(at(5)) == at(10)


def test_an_ended_and_a_missing_training_have_no_deadline() -> None:
    deadlines = PollDeadlines(a_poll(), [limited(1, 10), limited(2, 20)])
    deadlines.note(replace(limited(1, 10), run=None))
    deadlines.note(limited(2, 20, gone=True))
    assert deadlines.due(at(99)) == set()
    assert deadlines.earliest(at(0)) is None


def test_polls_without_a_change_compute_no_deadline() -> None:
    deadlines, poll, trainings = Deadlines(), a_poll(), [limited(number, number) for number in range(100)]
    with mock.patch(COMPUTED, side_effect=next_deadline) as computed:
        for second in range(50):
            assert deadlines.of(poll, lambda _: trainings).earliest(at(second)) == at(second + 1)
        deadlines.note(limited(99, 500))
    assert computed.call_count == len(trainings) + 1


def test_a_reloaded_poll_begins_anew_with_its_own_rules() -> None:
    deadlines, training = Deadlines(), limited(1, 10)
    assert deadlines.of(a_poll(), lambda _: [training]).earliest(at(-9999)) == at(10)
    assert deadlines.of(a_poll(LIMIT / 2), lambda _: [training]).earliest(at(-9999)) == at(10) - LIMIT / 2


def test_a_forgotten_poll_notes_nothing() -> None:
    deadlines, poll = Deadlines(), a_poll()
    kept = deadlines.of(poll, lambda _: [])
    deadlines.forget(poll.key)
    deadlines.note(limited(1, 10))
    assert kept.earliest(at(0)) is None


@pytest.mark.parametrize("watched", ["v1", "v2"])
def test_the_poll_of_a_single_training_knows_only_that(watched: str) -> None:
    poll = replace(a_poll(), training=TrainingRef("main", "s", "pop", watched), whole_service=False)
    deadlines = PollDeadlines(poll, [limited(1, 10), limited(2, 20)])
    assert versions(deadlines.due(at(99))) == {watched}


STEPS = st.lists(
    st.one_of(
        st.builds(limited, st.integers(0, 4), st.integers(-20, 20), known=st.booleans(), gone=st.booleans()),
        st.builds(lambda number: replace(limited(number, 0), run=None), st.integers(0, 4)),
        st.integers(-25, 25).map(at),
    ),
    max_size=40,
)


@given(STEPS)
def test_after_any_changes_and_times_the_answers_are_those_of_every_training_asked_anew(
    steps: list[Snapshot | datetime],
) -> None:
    poll, known = a_poll(), dict[TrainingRef, Snapshot]()
    deadlines = PollDeadlines(poll, [])
    for step in steps:
        if isinstance(step, Snapshot):
            known[step.ref] = step
            deadlines.note(step)
            continue
        times = {ref: next_deadline(known[ref], rules_of(poll, ref)) for ref in running(known)}
        without_limits = {ref for ref in times if (run := known[ref].run) is not None and run.limits is None}
        passed = {ref for ref, time in times.items() if time is not None and time <= step}
        assert deadlines.due(step) == passed | without_limits
        to_come = (time for time in times.values() if time is not None and time > step)
        assert deadlines.earliest(step) == min(to_come, default=None)


def running(known: Mapping[TrainingRef, Snapshot]) -> Iterator[TrainingRef]:
    return (ref for ref, item in known.items() if item.run is not None and not item.gone)


def versions(refs: set[TrainingRef]) -> set[str]:
    return {ref.version for ref in refs}
