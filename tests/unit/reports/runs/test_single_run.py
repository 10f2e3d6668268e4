"""When a run of ``once`` has failed."""

from __future__ import annotations

import pytest

from tests.unit.reports.facts import poll, queue, state
from watcher.core.delivery.state import State
from watcher.core.polling.result import PollState
from watcher.reports.runs.single_run import SingleRun
from watcher.reports.status import PollReport

GOOD = PollReport(poll=poll(), state=state())
FAILING = PollReport(poll=poll(), state=state(failures=1))


@pytest.mark.parametrize("delivery", [State.PENDING, State.SENDING, State.UNCERTAIN, State.HELD, State.DEAD])
def test_an_open_delivery_is_a_failure(delivery: State) -> None:
    queues = [queue("ml-ops", delivery, 2), queue("ml-ops", State.DELIVERED, 5)]
    result = SingleRun(events=(), polls=[GOOD], queues=queues)
    assert (result.failed, result.undelivered) == (True, 2)


def test_a_failed_poll_is_a_failure() -> None:
    assert SingleRun(events=(), polls=[GOOD, FAILING], queues=()).failed


def test_a_poll_without_a_recorded_answer_is_a_failure() -> None:
    untried = PollReport(poll=poll(), state=PollState(key="service:main/6wxgu1abcde"))
    assert SingleRun(events=(), polls=[GOOD, untried], queues=()).failed


def test_delivered_and_dropped_deliveries_are_no_failure() -> None:
    queues = [queue("ml-ops", State.DELIVERED, 5), queue("ml-ops", State.DROPPED, 1)]
    assert not SingleRun(events=(), polls=[GOOD], queues=queues).failed


def test_json_counts_failed_polls_and_undelivered_messages() -> None:
    result = SingleRun(events=(), polls=[GOOD, FAILING], queues=[queue("ml-ops", State.PENDING, 2)])
    document = result.as_json(frozenset({"ml-ops"}))
    assert (document["failed_polls"], document["undelivered"]) == (1, 2)
    assert result.summary == "2 polls, 1 failed; 0 events; 2 messages not delivered"
