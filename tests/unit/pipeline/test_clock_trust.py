"""When the wall clock is believed."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockTrust


def test_a_start_is_doubted_until_a_server_agrees() -> None:
    clock_trust, ends = ClockTrust(), []
    clock_trust.on_end = lambda: ends.append(clock_trust.lasts)
    lasted = clock_trust.lasts
    clock_trust.end()
    clock_trust.end()
    assert (lasted, ends) == (True, [False])


def test_a_server_that_gives_no_date_ends_the_doubt_of_a_start() -> None:
    clock_trust = ClockTrust()
    clock_trust.undated()
    assert not clock_trust.lasts


def test_a_server_that_gives_no_date_ends_no_doubt_after_a_step() -> None:
    clock_trust = ClockTrust()
    clock_trust.begin()
    clock_trust.undated()
    after_no_date = clock_trust.lasts
    clock_trust.end()
    assert (after_no_date, clock_trust.lasts) == (True, False)
