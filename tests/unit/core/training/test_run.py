"""Runs and their stages, from the changes of a training."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from watcher.core.durations.current_run import Bounds, CurrentRun
from watcher.core.durations.past_runs import Outcome
from watcher.core.event import Restore
from watcher.core.training.decision import DecisionContext
from watcher.core.training.lifecycle import decide
from watcher.core.training.model import Observation, Snapshot, Source, TrainingRef
from watcher.core.training.run import EndedRun, hpo_of, replayed, run_after_restore

START: Final = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
REF: Final = TrainingRef("main", "s", "pop", "v1")
HPO: Final = {"hpConfig": {"is_enabled": True, "item_top_n": 50}}


def play(*statuses: str, new: bool = True) -> tuple[list[EndedRun], Snapshot, list[object]]:
    """View a training each minute; return its ended runs, its last snapshot and its events."""
    snapshot: Snapshot | None = None
    ended: list[EndedRun] = []
    events: list[object] = []
    for number, status in enumerate(statuses, start=1):
        asked = START + number * MINUTE
        answer = Observation(
            ref=REF, status=status, asked_at=asked, answered_at=asked + MINUTE / 60, source=Source.VIEW, record=HPO
        )
        context = DecisionContext(epoch="e", polling_since=START, new_since=START if new else None)
        decision = decide(snapshot, answer, context, asked)
        snapshot = decision.snapshot
        ended += [decision.ended_run] if decision.ended_run else []
        events += [decision.event] if decision.event else []
    assert snapshot is not None
    return ended, snapshot, events


def stages_of(run: CurrentRun | EndedRun) -> list[str]:
    return [stage.status for stage in run.stages]


def test_a_run_that_was_seen_whole_has_its_stages_with_their_bounds() -> None:
    (run,), last, _ = play("requesting", "waiting", "learning", "learning", "completed")

    assert (run.outcome, run.status, run.hpo, run.seq) == (Outcome.COMPLETED, "completed", True, 4)
    assert stages_of(run) == ["requesting", "waiting", "learning"]
    assert run.past_run is not None
    assert abs(run.past_run.duration - 4 * MINUTE) < MINUTE
    assert all(stage.left == later.entered for stage, later in zip(run.stages, run.stages[1:], strict=False))
    assert run.stages[-1].left == run.ended
    assert last.run is None


@pytest.mark.parametrize(
    ("statuses", "outcomes"),
    [
        (("learning", "learningFailed"), [Outcome.FAILED]),
        (("learning", "stopping", "ready", "ready"), [Outcome.STOPPED]),
        (("learning", "completed", "requesting", "requesting", "requestFailed"), [Outcome.COMPLETED, Outcome.FAILED]),
        (("completed",), [Outcome.COMPLETED]),
        (("ready", "requesting"), []),
        (("learning", "waiting", "waiting", "learning"), []),
    ],
)
def test_a_run_ends_with_each_end_and_with_ready(statuses: Sequence[str], outcomes: list[Outcome]) -> None:
    ended, _, _ = play(*statuses)
    assert [run.outcome for run in ended] == outcomes


def test_a_run_that_the_first_poll_found_has_no_duration_but_its_later_stages_have() -> None:
    (run,), _, _ = play("waiting", "learning", "learning", "completed", new=False)

    assert run.past_run is None
    assert [run.past_stage(stage) is not None for stage in run.stages] == [False, True]


def test_a_training_that_changes_back_and_forth_keeps_its_start_and_its_latest_stages() -> None:
    _, last, events = play("requesting", *("learning", "waiting", "waiting") * 60)

    assert last.run is not None
    assert len(events) > len(last.run.stages) == 40
    assert last.run.start is not None
    assert last.run.start.started_before < START + 2 * MINUTE


@pytest.mark.parametrize(
    "statuses",
    [
        ("requesting", "waiting", "learning", "completed"),
        ("learning", "completed", "requesting", "requesting", "requestFailed"),
        ("waiting", "learning", "paused", "stopping"),
        ("learning", "stopping", "ready", "ready", "waiting"),
    ],
)
def test_the_events_of_a_training_give_the_runs_that_were_recorded_with_them(statuses: Sequence[str]) -> None:
    ended, last, events = play(*statuses)
    assert replayed(events) == (ended, last.run)  # type: ignore[arg-type]


@pytest.mark.parametrize(("restored_minute", "restored"), [(0, False), (2, True), (10, True)])
def test_a_run_that_began_before_a_restore_of_the_store_does_not_teach(restored_minute: int, *, restored: bool) -> None:
    (run,), _, _ = play("requesting", "learning", *["learning"] * 60, "completed")

    run = run_after_restore(run, Restore(at=START + restored_minute * MINUTE))
    assert run.past_run is not None
    assert (run.restored, run.past_run.teaches) == (restored, not restored)


@pytest.mark.parametrize(
    ("record", "hpo"),
    [(HPO, True), ({"hpConfig": {"is_enabled": False}}, False), ({"hpConfig": "none"}, None), ({}, None)],
)
def test_hpo_is_as_the_record_says(record: dict[str, object], *, hpo: bool | None) -> None:
    assert hpo_of(record) is hpo


def test_the_middle_of_bounds_is_their_best_guess() -> None:
    bounds = Bounds(after=START, before=START + 2 * MINUTE)
    assert (bounds.middle, bounds.half_width) == (START + MINUTE, MINUTE)
