"""A loop that does not come back when it said it would is late, and no other is."""

from __future__ import annotations

from watcher.core.health.liveness import RESTING, LoopMonitor


def test_a_loop_that_comes_back_in_time_is_not_late() -> None:
    loop_monitor = LoopMonitor()
    loop_monitor.progressed("polling", 1.0, now=100.0)
    assert loop_monitor.late(110.0, patience_seconds=10.0) == {}
    loop_monitor.progressed("polling", 1.0, now=111.0)
    assert loop_monitor.late(121.0, patience_seconds=10.0) == {}


def test_a_loop_that_does_not_come_back_is_late_by_what_it_is_over_its_time() -> None:
    loop_monitor = LoopMonitor()
    loop_monitor.progressed("polling", 1.0, now=100.0)
    loop_monitor.progressed("routing", 60.0, now=100.0)
    assert loop_monitor.late(121.0, patience_seconds=10.0) == {"polling": 20.0}
    assert loop_monitor.ages(121.0) == {"polling": 21.0, "routing": 21.0}


def test_a_loop_that_waits_for_what_may_take_any_time_is_never_late() -> None:
    loop_monitor = LoopMonitor()
    loop_monitor.progressed("delivering ml-ops", RESTING, now=0.0)
    assert loop_monitor.late(1e9) == {}


def test_nothing_is_expected_of_a_loop_that_stopped_in_order() -> None:
    loop_monitor = LoopMonitor()
    loop_monitor.progressed("delivering ml-ops", 1.0, now=0.0)
    loop_monitor.ended("delivering ml-ops")
    assert loop_monitor.late(1e9) == {}
    assert loop_monitor.ages(1e9) == {}
