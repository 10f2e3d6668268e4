"""The schedule of the targets: polls that are brought forward together do not all start together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef
from watcher.pipeline.polling.targets import PollTarget, PollTargets

NOW = datetime(2026, 11, 29, tzinfo=UTC)
CADENCE = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(minutes=5))


def targets(count: int, start: float) -> tuple[PollTargets, list[str]]:
    found = PollTargets()
    for number in range(count):
        poll = Poll(
            service=ServiceRef("main", f"s{number}"), whole_service=True, cadence=CADENCE, attributes=WatchAttributes()
        )
        found.add(PollTarget(poll=poll, polling_since=NOW), start)
    return found, [target.poll.key for target in found]


def test_many_polls_that_are_brought_forward_start_one_after_the_other() -> None:
    found, keys = targets(1000, 300.0)
    found.bring_forward(keys, 100.0)
    dues = [due_at for _, due_at in found.take_due(299.0)]
    assert (len(dues), dues[0]) == (1000, 100.0)
    assert all(len([due for due in dues if second <= due < second + 1]) <= 201 for second in range(100, 106))


def test_a_poll_that_is_due_earlier_keeps_its_time() -> None:
    found, keys = targets(1000, 101.0)
    found.bring_forward(keys, 100.0)
    assert max(due_at for _, due_at in found.take_due(299.0)) == 101.0
