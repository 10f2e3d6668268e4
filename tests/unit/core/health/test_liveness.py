"""A loop that does not come back when it said it would is late, and no other is."""

from __future__ import annotations

from watcher.core.health.liveness import RESTING, Pulse


def test_a_loop_that_comes_back_in_time_is_not_late() -> None:
    pulse = Pulse()
    pulse.turned("looking", 1.0, now=100.0)
    assert pulse.late(110.0, patience_seconds=10.0) == {}
    pulse.turned("looking", 1.0, now=111.0)
    assert pulse.late(121.0, patience_seconds=10.0) == {}


def test_a_loop_that_does_not_come_back_is_late_by_what_it_is_over_its_time() -> None:
    pulse = Pulse()
    pulse.turned("looking", 1.0, now=100.0)
    pulse.turned("routing", 60.0, now=100.0)
    assert pulse.late(121.0, patience_seconds=10.0) == {"looking": 20.0}
    assert pulse.ages(121.0) == {"looking": 21.0, "routing": 21.0}


def test_a_loop_that_waits_for_what_may_take_any_time_is_never_late() -> None:
    pulse = Pulse()
    pulse.turned("delivering ml-ops", RESTING, now=0.0)
    assert pulse.late(1e9) == {}


def test_nothing_is_expected_of_a_loop_that_stopped_in_order() -> None:
    pulse = Pulse()
    pulse.turned("delivering ml-ops", 1.0, now=0.0)
    pulse.ended("delivering ml-ops")
    assert pulse.late(1e9) == {}
    assert pulse.ages(1e9) == {}
