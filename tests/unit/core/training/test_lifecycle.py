"""The state machine of trainings: the table, single decisions, and properties of any history."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.durations.current_run import RunStart
from watcher.core.event import Event, Kind
from watcher.core.training.decision import Decision, DecisionContext, DecisionReason
from watcher.core.training.lifecycle import (
    decide,
    is_recorded,
    missed,
    settle,
    unlisted,
    vanished,
    with_last_good_poll,
)
from watcher.core.training.model import Observation, Snapshot, Source, Status, TrainingRef, UnconfirmedStatus
from watcher.core.training.transitions import STAGES, TRANSITIONS, Transition, skipped_between, transition_between

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REF = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")
SECOND = timedelta(seconds=1)

statuses = st.one_of(st.sampled_from([*STAGES[:-1], "paused", "Learning", ""]), st.text(max_size=12))
sources = st.sampled_from(list(Source))


def context(**changes: object) -> DecisionContext:
    known = {"epoch": "e1", "polling_since": START - timedelta(days=1), **changes}
    return DecisionContext(**known)  # type: ignore[arg-type]


def observation(status: str, second: int, source: Source = Source.VIEW) -> Observation:
    asked = START + second * SECOND
    return Observation(ref=REF, status=status, asked_at=asked, answered_at=asked + SECOND / 2, source=source)


def poll(
    snapshot: Snapshot | None, status: str, second: int, source: Source = Source.VIEW, **changes: object
) -> Decision:
    answer = observation(status, second, source)
    return decide(snapshot, answer, context(**changes), answer.answered_at)


def play(*history: tuple[str, Source] | str, **changes: object) -> tuple[list[Event], Snapshot]:
    """Decide about one answer a second; the first is the baseline."""
    snapshot, events = None, []
    for second, step in enumerate(history):
        status, source = step if isinstance(step, tuple) else (step, Source.VIEW)
        decision = poll(snapshot, status, second, source, **changes)
        snapshot = decision.snapshot
        events += [decision.event] if decision.event else []
    assert snapshot is not None
    return events, snapshot


def test_the_table_has_a_transition_for_every_pair_of_stages() -> None:
    assert set(TRANSITIONS) == set(itertools.product(STAGES, STAGES))


def test_only_equal_statuses_are_no_transition() -> None:
    same = {pair for pair, move in TRANSITIONS.items() if move is Transition.SAME}
    assert same == {(stage, stage) for stage in STAGES[:-1]}
    assert transition_between("paused", "paused") is Transition.SAME
    assert transition_between("paused", "halted") is Transition.UNKNOWN


def test_the_first_answer_is_a_silent_baseline() -> None:
    decision = poll(None, "learning", 0)
    assert (decision.event, decision.reason, decision.snapshot.status) == (None, DecisionReason.BASELINE, "learning")


def test_a_transition_forward_is_announced_at_once_with_its_bounds() -> None:
    (event,), snapshot = play("waiting", "waiting", "learning")
    assert (event.kind, event.from_status, event.to_status) == (Kind.PROGRESS, "waiting", "learning")
    assert event.after == START + SECOND
    assert event.before == START + 2.5 * SECOND
    assert (event.seq, event.reason, snapshot.seq) == (1, "moved-forward", 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", Kind.SUCCEEDED),
        ("requestFailed", Kind.FAILED),
        ("refinedFailed", Kind.FAILED),
        ("learningFailed", Kind.FAILED),
    ],
)
def test_an_end_in_a_view_is_announced_at_once(status: str, kind: Kind) -> None:
    (event,), _ = play("learning", status)
    assert (event.kind, event.confirmed, event.reason) == (kind, True, "ended")


@pytest.mark.parametrize("second_source", list(Source))
def test_an_end_in_a_list_is_announced_when_it_is_repeated(second_source: Source) -> None:
    first = poll(poll(None, "learning", 0).snapshot, "completed", 1, Source.LIST)
    assert first.event is None
    assert first.wants_confirmation
    second = poll(first.snapshot, "completed", 2, second_source)
    assert second.event is not None
    assert second.event.before == START + 1.5 * SECOND
    assert second.event.confirmed


def test_an_end_in_a_list_that_a_view_contradicts_makes_no_event() -> None:
    events, snapshot = play("learning", ("completed", Source.LIST), "learning")
    assert (events, snapshot.status, snapshot.pending) == ([], "learning", None)


def test_an_end_without_confirmation_is_announced_as_unconfirmed_after_the_patience() -> None:
    waiting = poll(poll(None, "learning", 0).snapshot, "completed", 1, Source.LIST).snapshot
    patience = 10 * SECOND
    assert settle(waiting, patience, context(), START + 11 * SECOND) is None
    decision = settle(waiting, patience, context(), START + 12 * SECOND)
    assert decision is not None
    assert decision.event is not None
    assert (decision.event.confirmed, decision.event.reason) == (False, "ended-unconfirmed")
    assert decision.snapshot.status == "completed"


def test_an_old_status_from_a_stale_replica_makes_no_event() -> None:
    events, snapshot = play("requesting", "learning", "requesting", "learning")
    assert [event.to_status for event in events] == ["learning"]
    assert snapshot.pending is None


def test_a_repeated_transition_back_is_announced_with_the_bounds_of_its_first_answer() -> None:
    (event,), _ = play("learning", "waiting", "waiting")
    assert (event.kind, event.reason, event.skipped) == (Kind.PROGRESS, "moved-back", ())
    assert (event.after, event.before) == (START, START + 1.5 * SECOND)


def test_a_transition_from_an_end_into_progress_is_a_restart() -> None:
    (event,), _ = play("completed", "learning", "learning")
    assert (event.kind, event.from_status, event.to_status) == (Kind.RESTARTED, "completed", "learning")


def test_a_transition_back_without_a_repeat_is_never_recorded() -> None:
    waiting = poll(poll(None, "completed", 0).snapshot, "learning", 1).snapshot
    assert settle(waiting, SECOND, context(), START + timedelta(days=1)) is None


def test_an_undocumented_status_is_announced_unchanged_and_once_a_training() -> None:
    events, snapshot = play("learning", "paused", "learning", "paused", "halted")
    assert [(event.kind, event.to_status) for event in events] == [
        (Kind.UNKNOWN_STATUS, "paused"),
        (Kind.PROGRESS, "learning"),
        (Kind.PROGRESS, "paused"),
        (Kind.UNKNOWN_STATUS, "halted"),
    ]
    assert snapshot.announced_statuses == {"paused", "halted"}


def test_a_new_version_in_progress_has_appeared() -> None:
    decision = poll(None, "waiting", 5, Source.LIST, new_since=START)
    assert decision.event is not None
    assert (decision.event.kind, decision.event.new, decision.event.from_status) == (Kind.APPEARED, True, None)
    assert decision.event.after == START


def test_a_new_version_that_has_failed_is_announced_as_failed_and_new_once_confirmed() -> None:
    first = poll(None, "learningFailed", 5, Source.LIST, new_since=START)
    assert (first.event, first.snapshot.status) == (None, None)
    second = poll(first.snapshot, "learningFailed", 6, Source.VIEW)
    assert second.event is not None
    assert (second.event.kind, second.event.new, second.event.reason) == (Kind.FAILED, True, "new-version")
    assert (second.event.after, second.event.before) == (START, START + 5.5 * SECOND)


@pytest.mark.parametrize("status", ["learningFailed", "completed", "learning", "paused"])
@pytest.mark.parametrize("created", ["2026-05-02T09:14:07.031", "2026-11-22T01:59:59", "2026-11-22T10:00:00+09:00"])
def test_a_training_that_is_older_than_the_list_without_it_is_a_silent_baseline(status: str, created: str) -> None:
    answer = replace(observation(status, 5, Source.LIST), record={"createdDate": created})
    decision = decide(None, answer, context(new_since=START), answer.answered_at)
    assert (decision.event, decision.reason, decision.snapshot.status) == (None, DecisionReason.BASELINE, status)


@pytest.mark.parametrize(
    "created",
    ["2026-11-22T02:00:01", "2026-11-23T11:00:00", "2026-11-23T11:00:00+09:00", "", "yesterday", 20260502, None, [1]],
)
def test_a_training_whose_creation_is_recent_or_unknown_is_new(created: object) -> None:
    answer = replace(observation("learning", 5, Source.LIST), record={"createdDate": created})
    decision = decide(None, answer, context(new_since=START), answer.answered_at)
    assert decision.event is not None
    assert decision.event.new


def test_a_change_before_polling_began_is_late() -> None:
    (event,), _ = play("learning", "completed", polling_since=START + SECOND / 2)
    assert event.late
    (event,), _ = play("learning", "learning", "completed", polling_since=START + SECOND / 2)
    assert not event.late


def test_a_late_end_is_still_late_when_it_is_confirmed() -> None:
    (event,), _ = play(
        "learning", ("completed", Source.LIST), ("completed", Source.LIST), polling_since=START + SECOND / 2
    )
    assert event.late


@pytest.mark.parametrize("steps", [["completed"], [("completed", Source.LIST), ("completed", Source.LIST)]])
def test_only_a_late_change_has_the_reason_that_its_service_was_gone(steps: list[Any]) -> None:
    (event,), _ = play("learning", *steps, polling_since=START + SECOND / 2, service_was_gone=True)
    assert (event.late, event.service_was_gone) == (True, True)
    (event,), _ = play("learning", *steps, service_was_gone=True)
    assert (event.late, event.service_was_gone) == (False, False)


@pytest.mark.parametrize(
    ("known", "status", "stages"),
    [
        ("requesting", "completed", ("waiting", "learning")),
        ("requesting", "learningFailed", ("waiting", "learning")),
        ("requesting", "learning", ("waiting",)),
        ("waiting", "completed", ("learning",)),
        ("learning", "completed", ()),
        ("learning", "requesting", ()),
        ("ready", "completed", ()),
        ("requesting", "stopping", ()),
        ("paused", "completed", ()),
        (None, "completed", ()),
    ],
)
def test_skipped_stages_lie_strictly_between_two_statuses(
    known: str | None, status: str, stages: tuple[str, ...]
) -> None:
    assert skipped_between(known, status) == stages


@pytest.mark.parametrize(
    ("known", "status", "stages"),
    [
        ("requesting", "requestFailed", ()),
        ("requesting", "refinedFailed", ("waiting",)),
        ("waiting", "requestFailed", ()),
        ("waiting", "refinedFailed", ()),
        ("learning", "requestFailed", ()),
        ("learning", "refinedFailed", ()),
        ("learning", "learningFailed", ()),
        ("ready", "refinedFailed", ()),
        ("completed", "refinedFailed", ()),
        ("paused", "requestFailed", ()),
        (None, "refinedFailed", ()),
    ],
)
def test_a_failure_skips_only_stages_that_lie_before_it(
    known: str | None, status: str, stages: tuple[str, ...]
) -> None:
    assert skipped_between(known, status) == stages


@pytest.mark.parametrize("source", [Source.VIEW, Source.LIST])
def test_the_event_of_a_failed_request_names_no_skipped_stage(source: Source) -> None:
    (event,), _ = play(*[("requesting", source)], *[("requestFailed", source)] * 2)
    assert (event.kind, event.skipped) == (Kind.FAILED, ())


def test_bounds_stay_in_order_when_the_wall_clock_steps_back() -> None:
    known = poll(None, "waiting", 100).snapshot
    decision = poll(known, "learning", 5)
    assert decision.event is not None
    assert decision.event.after <= decision.event.before


def lose(known: Snapshot, second: int) -> Decision:
    return missed(known, START + (second - 1) * SECOND, context(), START + second * SECOND)


def test_a_training_that_two_views_in_a_row_do_not_find_is_gone_once() -> None:
    once = lose(poll(None, "learning", 0).snapshot, 6)
    assert (once.event, once.snapshot.seen_after) == (None, START + 5 * SECOND)
    twice = lose(once.snapshot, 7)
    assert twice.event is not None
    assert (twice.event.kind, twice.event.from_status, twice.event.to_status) == (Kind.GONE, "learning", None)
    assert twice.event.after == START + 5 * SECOND
    assert lose(twice.snapshot, 8).event is None
    assert with_last_good_poll(twice.snapshot, START + 9 * SECOND).seen_after == START + 5 * SECOND


def test_a_training_that_one_view_does_not_find_is_not_gone() -> None:
    once = lose(poll(None, "learning", 0).snapshot, 1).snapshot
    found = poll(once, "learning", 2)
    assert (found.event, found.snapshot.absent) == (None, 0)


STATES = [
    {},
    {"pending": None, "absent": 1},
    {"gone": True},
    {"pending": UnconfirmedStatus(status="completed", asked_at=START, answered_at=START, source=Source.LIST)},
    {"status": None},
    {"status": "waiting"},
    {"record": {"inference": False}},
]


@pytest.mark.parametrize("state", STATES, ids=str)
@pytest.mark.parametrize("source", Source)
def test_an_answer_shows_what_is_recorded_where_a_decision_would_only_move_the_time(
    state: dict[str, Any], source: Source
) -> None:
    known = replace(poll(None, "learning", 0).snapshot, **state)
    decision = poll(known, "learning", 5, source)
    moved = replace(known, seen_after=decision.snapshot.seen_after)
    assert is_recorded(known, observation("learning", 5, source)) == (
        decision.event is None and decision.snapshot == moved
    )


def test_a_gone_training_comes_back_with_its_recorded_status_and_continues_from_there() -> None:
    gone = lose(lose(poll(None, "learning", 0).snapshot, 1).snapshot, 2).snapshot
    back = poll(gone, "completed", 3, Source.LIST)
    assert back.event is not None
    assert (back.event.kind, back.event.from_status, back.event.to_status) == (Kind.BACK, None, "learning")
    moved = poll(back.snapshot, "completed", 4, Source.LIST)
    assert moved.event is not None
    assert (moved.event.kind, moved.event.seq) == (Kind.SUCCEEDED, 3)


def test_a_new_version_that_vanishes_before_it_is_confirmed_is_not_announced() -> None:
    first = poll(None, "completed", 5, Source.LIST, new_since=START).snapshot
    assert lose(lose(first, 6).snapshot, 7).event is None


histories = st.lists(st.tuples(statuses, sources), min_size=1, max_size=40)


@given(histories)
def test_any_history_is_decided_without_an_event_for_no_change(history: list[tuple[str, Source]]) -> None:
    events, snapshot = play(*history)
    assert all(event.from_status != event.to_status for event in events)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert all(event.after <= event.before for event in events)
    for earlier, later in itertools.pairwise(events):
        assert later.from_status == earlier.to_status
    assert snapshot.status == (events[-1].to_status if events else history[0][0])


@given(histories)
def test_replaying_a_history_gives_the_same_events(history: list[tuple[str, Source]]) -> None:
    assert play(*history) == play(*history)


@given(histories)
def test_every_run_of_two_that_differs_from_the_recorded_status_is_announced_exactly_once(
    history: list[tuple[str, Source]],
) -> None:
    snapshot = None
    recorded: str | None = history[0][0]
    for second, (status, source) in enumerate(history):
        decision = poll(snapshot, status, second, source)
        repeated = second > 0 and history[second - 1][0] == status
        if repeated and status != recorded:
            assert decision.event is not None
            assert decision.event.to_status == status
        if decision.event:
            recorded = decision.event.to_status
        snapshot = decision.snapshot
        assert snapshot.status == recorded


@given(st.one_of(st.none(), statuses), statuses)
def test_a_transition_exists_between_any_two_statuses(known: str | None, status: str) -> None:
    assert isinstance(transition_between(known, status), Transition)


def test_every_documented_status_has_a_stage_in_the_table() -> None:
    assert {status.value for status in Status} == set(STAGES[:-1])


def test_an_overtaken_answer_does_not_move_the_snapshot_back() -> None:
    known = Snapshot(ref=REF, status="learning", seen_after=START + 10 * SECOND, first_seen_at=START)
    assert known.unchanged_at(START).seen_after == START + 10 * SECOND


def test_a_corrected_clock_is_trusted_again() -> None:
    ahead = START + timedelta(days=3650)
    known = Snapshot(ref=REF, status="learning", seen_after=ahead, first_seen_at=START)
    assert known.unchanged_at(START).seen_after == START


def test_a_clock_that_was_set_back_does_not_swap_the_bounds() -> None:
    known = Snapshot(ref=REF, status="waiting", seen_after=START + timedelta(hours=1), first_seen_at=START)
    event = poll(known, "learning", 5).event
    assert event is not None
    assert (event.after, event.before) == (START + 5.5 * SECOND, START + 5.5 * SECOND)


@pytest.mark.parametrize(
    ("statuses", "known"),
    [
        (("completed", "requesting", "requesting", "learning", "learningFailed"), True),
        (("ready", "requesting", "waiting", "learning", "completed"), True),
        (("completed", "requesting", "requesting", "paused", "learning", "completed"), True),
        (("learning", "completed"), False),
        (("requesting", "learning", "learningFailed"), False),
        (("completed", "requesting", "requesting", "ready", "ready", "completed"), False),
        (("learningFailed", "completed"), False),
    ],
)
def test_the_end_of_a_run_has_its_start_only_where_a_poll_saw_it(statuses: tuple[str, ...], *, known: bool) -> None:
    events, last = play(*statuses)
    assert (events[-1].run is not None) is known
    if events[-1].run is not None:
        assert events[-1].run.started_after <= events[-1].run.started_before <= events[-1].after
    assert last.run is None


def test_a_new_training_starts_its_run_within_the_bounds_of_its_appearance() -> None:
    decision = poll(None, "requesting", 5, new_since=START)
    assert decision.event is not None
    assert decision.event.run == RunStart(started_after=decision.event.after, started_before=decision.event.before)
    ended = poll(decision.snapshot, "requestFailed", 65)
    assert ended.event is not None
    assert ended.event.run == decision.event.run


@pytest.mark.parametrize("lists", [1, 2, 3, 10])
def test_lists_alone_never_make_a_training_gone_and_the_second_asks_for_a_view(lists: int) -> None:
    known = poll(None, "learning", 0).snapshot
    for number in range(lists):
        decision = unlisted(known, START + number * SECOND)
        assert decision.event is None
        assert decision.wants_view is (number > 0)
        known = decision.snapshot
    assert not known.gone


@pytest.mark.parametrize(("viewed", "reason"), [(True, "not-listed"), (False, "not-listed-with-others")])
def test_an_unlisted_training_is_gone_when_views_say_so(*, viewed: bool, reason: str) -> None:
    absent = unlisted(poll(None, "learning", 0).snapshot, START + 5 * SECOND).snapshot
    decision = vanished(absent, context(), START + 9 * SECOND, viewed=viewed)
    assert decision is not None
    assert decision.event is not None
    assert (decision.event.kind, decision.event.reason) == (Kind.GONE, reason)
    assert (decision.event.after, decision.event.before) == (START + 5 * SECOND, START + 9 * SECOND)
    assert vanished(decision.snapshot, context(), START + 10 * SECOND, viewed=viewed) is None


@pytest.mark.parametrize("source", [Source.VIEW, Source.LIST])
def test_an_unlisted_training_that_an_answer_has_shown_meanwhile_is_not_gone(source: Source) -> None:
    absent = unlisted(poll(None, "learning", 0).snapshot, START).snapshot
    shown = poll(absent, "learning", 7, source).snapshot
    assert vanished(shown, context(), START + 9 * SECOND, viewed=True) is None


def unpolled_in_run_and_stage(snapshot: Snapshot) -> tuple[float, float]:
    assert snapshot.run is not None
    return snapshot.run.unpolled_in_run.total_seconds(), snapshot.run.unpolled_in_stage.total_seconds()


@pytest.mark.parametrize(
    ("steps", "polling_since", "expected"),
    [
        pytest.param([(1, "waiting"), (100, "waiting")], 90, (89, 89), id="no change"),
        pytest.param([(1, "waiting"), (100, "learning")], 90, (89, 0), id="a change"),
        pytest.param([(1, "learning"), (100, "waiting"), (101, "waiting")], 90, (89, 0), id="a change back"),
        pytest.param([(1, "learning"), (2, "waiting"), (101, "waiting")], 90, (88, 88), id="before its second answer"),
        pytest.param([(1, "completed"), (100, "learning"), (101, "learning")], 90, (0, 0), id="a restart"),
        pytest.param([(1, "waiting"), (2, "learning")], 0, (0, 0), id="no gap"),
        pytest.param([(1, "waiting"), (100, "waiting")], 101, (99, 99), id="until after the request"),
    ],
)
def test_a_gap_counts_for_no_run_and_for_the_stage_that_it_did_not_end(
    steps: list[tuple[int, str]], polling_since: int, expected: tuple[float, float]
) -> None:
    snapshot = None
    for second, status in steps:
        # The gap ends between the last two answers, or before the second of three.
        began = START + polling_since * SECOND if second >= min(polling_since, 100) else START
        snapshot = poll(snapshot, status, second, polling_since=began).snapshot
    assert snapshot is not None
    assert unpolled_in_run_and_stage(snapshot) == expected


def test_the_time_in_which_a_training_was_gone_counts_for_no_limit() -> None:
    waiting = poll(None, "waiting", 1).snapshot
    gone = replace(waiting, gone=True, absent=2)
    assert unpolled_in_run_and_stage(poll(gone, "waiting", 100).snapshot) == (99, 99)
