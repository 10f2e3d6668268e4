"""The trainings that the row of a joined list covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from watcher.core.polling.covered import HASH_BYTES, covered, marks_of, no_longer_covered
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import PollState
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef

CADENCE = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=60))
WHOLE = Poll(service=ServiceRef("main", "s"), cadence=CADENCE)


def refs(versions: str) -> list[TrainingRef]:
    return [TrainingRef("main", "s", "pop", version) for version in versions]


def joined(versions: str) -> Poll:
    return replace(WHOLE, whole_service=False, single={ref: WatchAttributes() for ref in refs(versions)})


def row(poll: Poll) -> PollState:
    return PollState(key=poll.key, digest=bytes(HASH_BYTES) + marks_of(poll))


def test_a_row_says_which_trainings_its_list_covered() -> None:
    state = row(joined("135"))
    assert [covered(state, ref) for ref in refs("12345")] == [True, False, True, False, True]


@pytest.mark.parametrize(
    "state", [PollState(key="k"), PollState(key="k", digest=bytes(HASH_BYTES)), row(WHOLE)], ids=str
)
def test_a_row_without_marks_says_nothing(state: PollState) -> None:
    assert covered(state, refs("1")[0]) is None
    assert no_longer_covered(state, joined("12"), refs("3")) == []


def test_the_order_of_the_watches_makes_no_difference() -> None:
    assert marks_of(joined("123")) == marks_of(joined("312")) != marks_of(joined("124"))


@pytest.mark.parametrize(
    ("poll", "left"), [(joined("12"), "3"), (joined("14"), "23"), (joined("123"), ""), (WHOLE, "")]
)
def test_trainings_leave_a_list_only_for_another_plan_of_single_ones(poll: Poll, left: str) -> None:
    assert no_longer_covered(row(joined("123")), poll, refs("12345")) == refs(left)
