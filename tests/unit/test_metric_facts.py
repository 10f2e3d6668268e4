"""The facts of a daemon are the values of its metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watcher.clock import Clock
from watcher.core.health.daemon_figures import AccountRequests
from watcher.metrics import Metrics

START = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


class MovedClock(Clock):
    """A clock that a test moves."""

    now = START

    def utc_now(self) -> datetime:
        return self.now


def test_the_facts_are_those_of_the_metrics() -> None:
    clock = MovedClock()
    metrics = Metrics(clock)
    metrics.budgets({"main": 1.0, "labs": 5.0})
    for late in (0.01, 0.01, 0.4):
        metrics.poll_started(late)
    for _ in range(20):
        metrics.granted("main")
    clock.now = START + timedelta(seconds=100)
    metrics.heartbeat("failed")
    clock.now += timedelta(seconds=100)
    metrics.heartbeat("sent")
    facts = metrics.facts(has_heartbeat=True)
    assert (facts.started_at, facts.heartbeat, facts.heartbeat_at) == (START, "sent", clock.now)
    assert facts.requests == [
        AccountRequests(account="main", per_second=0.1, allowed_per_second=1.0),
        AccountRequests(account="labs", per_second=0.0, allowed_per_second=5.0),
    ]
    assert facts.lateness_seconds == pytest.approx(0.4625)


def test_before_the_first_poll_and_without_a_heartbeat_nothing_is_invented() -> None:
    facts = Metrics(MovedClock()).facts(has_heartbeat=False)
    assert (facts.lateness_seconds, facts.requests, facts.heartbeat, facts.heartbeat_at) == (None, [], None, None)
    assert Metrics(MovedClock()).facts(has_heartbeat=True).heartbeat == ""
