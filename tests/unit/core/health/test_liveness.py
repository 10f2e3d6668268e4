"""A loop is late when it misses the time of its next progress."""

from __future__ import annotations

from watcher.core.health.liveness import UNBOUNDED, LoopMonitor


def test_a_loop_with_progress_in_time_is_not_late() -> None:
    monitor = LoopMonitor()
    monitor.progressed("polling", 1.0, now=100.0)
    assert monitor.late(110.0, patience_seconds=10.0) == {}
    monitor.progressed("polling", 1.0, now=111.0)
    assert monitor.late(121.0, patience_seconds=10.0) == {}


def test_a_loop_without_progress_is_late_by_the_time_since_it_was_due() -> None:
    monitor = LoopMonitor()
    monitor.progressed("polling", 1.0, now=100.0)
    monitor.progressed("routing", 60.0, now=100.0)
    assert monitor.late(121.0, patience_seconds=10.0) == {"polling": 20.0}
    assert monitor.ages(121.0) == {"polling": 21.0, "routing": 21.0}


def test_a_loop_in_a_wait_without_limit_is_never_late() -> None:
    monitor = LoopMonitor()
    monitor.progressed("deliver:ml-ops", UNBOUNDED, now=0.0)
    assert monitor.late(1e9) == {}


def test_a_loop_that_stopped_as_planned_is_not_watched_any_more() -> None:
    monitor = LoopMonitor()
    monitor.progressed("deliver:ml-ops", 1.0, now=0.0)
    monitor.ended("deliver:ml-ops")
    assert monitor.late(1e9) == {}
    assert monitor.ages(1e9) == {}
