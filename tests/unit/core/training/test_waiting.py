"""A wait for the end of a training: which version it means, when it ends, and when it is in vain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watcher.core.polling.result import Cause, PollState
from watcher.core.training.model import ServiceRef, Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.core.training.waiting import WaitOutcome, WaitProgress, WaitTarget, chosen

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
SERVICE = ServiceRef("main", "svc")
MINUTE = timedelta(minutes=1)


def training(version: str, status: str | None, *, created: str = "", kind: str = "pop") -> Snapshot:
    return Snapshot(
        ref=TrainingRef("main", "svc", kind, version),
        status=status,
        seen_after=BEGAN,
        first_seen_at=BEGAN,
        record={"createdDate": created} if created else {},
    )


V1, V2, V3 = (training(f"v{n}", "completed", created=f"2026-11-2{n}T10:00:00.000") for n in (1, 2, 3))
OTHER = training("v9", "completed", created="2026-11-29T10:00:00.000", kind="relatedItem")


def known(*snapshots: Snapshot) -> dict[TrainingRef, Snapshot]:
    return {item.ref: item for item in snapshots}


def good(minutes: float) -> PollState:
    """Return the state after a good poll that began so long after the wait."""
    return PollState(key="k", good_asked_at=BEGAN + minutes * MINUTE)


def failed(cause: Cause, times: int, last_good: float | None = None) -> PollState:
    before = PollState(key="k") if last_good is None else good(last_good)
    return replace(before, failures=times, cause=cause, detail="why")


def after(target: WaitTarget, *polls: tuple[Iterable[Snapshot], PollState]) -> WaitProgress:
    """Return the progress after these polls."""
    progress = WaitProgress(target=target, began_at=BEGAN)
    for snapshots, state in polls:
        progress = progress.after_poll(known(*snapshots), state)
    return progress


NAMED = WaitTarget(service=SERVICE, type="pop", version="v1")
LATEST = WaitTarget(service=SERVICE, type="pop")
AFTER_V1 = WaitTarget(service=SERVICE, type="pop", after="v1")


@pytest.mark.parametrize(
    ("target", "snapshots", "version"),
    [
        (NAMED, [V1, V2, OTHER], "v1"),
        (NAMED, [V2], None),
        (LATEST, [V2, V3, V1, OTHER], "v3"),
        (LATEST, [OTHER], None),
        (LATEST, [V1, replace(V3, gone=True)], "v1"),
        (AFTER_V1, [V3, V1, V2], "v2"),
        (AFTER_V1, [V1, OTHER], None),
        (AFTER_V1, [replace(V1, gone=True), V3], "v3"),
        (AFTER_V1, [V3], None),
    ],
)
def test_latest_is_the_newest_of_the_type_and_after_takes_the_first_newer_one(
    target: WaitTarget, snapshots: list[Snapshot], version: str | None
) -> None:
    found = chosen(target, known(*snapshots))
    assert (None if found is None else found.ref.version) == version


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("completed", WaitOutcome.COMPLETED),
        ("learningFailed", WaitOutcome.FAILED),
        ("requestFailed", WaitOutcome.FAILED),
        ("refinedFailed", WaitOutcome.FAILED),
        ("learning", None),
        ("stopping", None),
        ("a status of tomorrow", None),
        ("ready", None),
        (None, None),
    ],
)
def test_an_end_ends_the_wait_and_nothing_else_does(status: str | None, outcome: WaitOutcome | None) -> None:
    assert after(NAMED, ([training("v1", status)], good(1))).outcome is outcome


@pytest.mark.parametrize("status", ["requesting", "waiting", "learning", "stopping"])
def test_a_training_that_is_ready_again_was_stopped(status: str) -> None:
    ready = [training("v1", "ready")]
    assert after(NAMED, ([training("v1", status)], good(1)), (ready, good(2))).outcome is WaitOutcome.STOPPED
    resumed = WaitProgress(target=NAMED, began_at=BEGAN, was_in_progress=True)
    assert resumed.after_poll(known(*ready), good(1)).outcome is WaitOutcome.STOPPED


def test_an_end_that_was_recorded_before_counts_only_after_another_poll() -> None:
    ended = [training("v1", "completed")]
    assert after(NAMED, (ended, good(-1))).outcome is None
    assert after(NAMED, (ended, good(-1)), (ended, good(1))).outcome is WaitOutcome.COMPLETED
    restarted = UnconfirmedStatus(status="requesting", asked_at=BEGAN, answered_at=BEGAN, source=Source.LIST)
    for doubt in (replace(ended[0], pending=restarted), replace(ended[0], absent=1)):
        assert after(NAMED, ([doubt], good(1))).outcome is None


def test_a_training_that_is_gone_ends_the_wait() -> None:
    progress = after(NAMED, ([training("v1", "learning")], good(1)), ([replace(V1, gone=True)], good(2)))
    assert progress.outcome is WaitOutcome.GONE


def test_a_version_that_was_chosen_stays_although_a_newer_one_begins() -> None:
    old, new = replace(V1, status="learning"), replace(V2, status="requesting")
    progress = after(LATEST, ([old], good(1)), ([old, new], good(2)), ([V1, new], good(3)))
    assert (progress.training, progress.outcome) == (V1, WaitOutcome.COMPLETED)


def test_the_latest_version_is_chosen_by_the_first_poll_of_the_wait() -> None:
    new = replace(V2, status="learning")
    progress = after(LATEST, ([V1], good(-1)), ([V1, new], good(1)))
    assert (progress.training, progress.outcome) == (new, None)


@pytest.mark.parametrize(("target", "lacking"), [(NAMED, [V2]), (AFTER_V1, [V2, V3]), (NAMED, [])])
def test_two_answers_without_the_named_version_end_the_wait(target: WaitTarget, lacking: list[Snapshot]) -> None:
    once = after(target, (lacking, good(1)), (lacking, good(1)))
    assert once.outcome is None
    assert once.after_poll(known(*lacking), good(2)).outcome is WaitOutcome.NOT_FOUND


def test_a_version_that_does_not_exist_yet_is_waited_for() -> None:
    polls = [([V1], good(minute)) for minute in range(1, 9)]
    assert after(AFTER_V1, *polls).outcome is None
    assert after(LATEST, *[([OTHER], good(minute)) for minute in range(1, 9)]).outcome is None


@pytest.mark.parametrize(
    ("target", "state", "outcome"),
    [
        (NAMED, failed(Cause.KEY, 1), WaitOutcome.CANNOT_POLL),
        (LATEST, failed(Cause.PERMISSION, 1), WaitOutcome.CANNOT_POLL),
        (LATEST, failed(Cause.NOT_FOUND, 1), WaitOutcome.CANNOT_POLL),
        # A replica of AiTEMS may not have a new training yet.
        (NAMED, failed(Cause.NOT_FOUND, 1), None),
        (NAMED, failed(Cause.NOT_FOUND, 2), WaitOutcome.CANNOT_POLL),
        (NAMED, failed(Cause.KEY, 2, last_good=1), None),
        (NAMED, failed(Cause.KEY, 3, last_good=1), WaitOutcome.CANNOT_POLL),
        (NAMED, failed(Cause.SERVER, 99), None),
        (NAMED, failed(Cause.DNS, 99, last_good=-1), None),
        (NAMED, failed(Cause.QUOTA, 9), None),
    ],
)
def test_only_failures_that_a_person_must_remedy_end_the_wait(
    target: WaitTarget, state: PollState, outcome: WaitOutcome | None
) -> None:
    progress = after(target, ([], state))
    assert progress.outcome is outcome
    assert progress.problem is not None


def test_a_problem_is_over_after_the_next_good_poll() -> None:
    progress = after(NAMED, ([], failed(Cause.SERVER, 2)), ([training("v1", "learning")], good(1)))
    assert (progress.problem, progress.outcome) == (None, None)
