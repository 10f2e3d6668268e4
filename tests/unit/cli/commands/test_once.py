"""How a sweep ends."""

from __future__ import annotations

import pytest

from tests.unit.reports.facts import poll, queue, state
from watcher.cli.commands.once import Sweep
from watcher.cli.exit_status import ExitStatus
from watcher.core.delivery.model import State
from watcher.core.polling.result import PollState
from watcher.reports.status import PollReport

GOOD = PollReport(poll=poll(), state=state())
FAILING = PollReport(poll=poll(), state=state(failures=1))


@pytest.mark.parametrize("delivery", [State.PENDING, State.SENDING, State.UNCERTAIN, State.HELD, State.DEAD])
def test_a_delivery_that_is_not_made_is_a_failure(delivery: State) -> None:
    sweep = Sweep(events=(), polls=[GOOD], queues=[queue("ml-ops", delivery, 2), queue("ml-ops", State.DELIVERED, 5)])
    assert (sweep.status, sweep.undelivered) == (ExitStatus.FAILED, 2)


def test_a_failed_poll_is_a_failure() -> None:
    assert Sweep(events=(), polls=[GOOD, FAILING], queues=()).status is ExitStatus.FAILED


def test_a_poll_whose_answer_was_not_kept_is_a_failure() -> None:
    untried = PollReport(poll=poll(), state=PollState(key="service:main/6wxgu1abcde"))
    assert Sweep(events=(), polls=[GOOD, untried], queues=()).status is ExitStatus.FAILED


def test_what_was_delivered_or_dropped_on_purpose_is_none() -> None:
    queues = [queue("ml-ops", State.DELIVERED, 5), queue("ml-ops", State.DROPPED, 1)]
    assert Sweep(events=(), polls=[GOOD], queues=queues).status is ExitStatus.OK
