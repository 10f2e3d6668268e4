"""When the wall clock is believed."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockDoubt


def test_a_start_is_doubted_until_a_server_agrees() -> None:
    doubt, ends = ClockDoubt(), []
    doubt.on_end = lambda: ends.append(doubt.lasts)
    lasted = doubt.lasts
    doubt.end()
    doubt.end()
    assert (lasted, ends) == (True, [False])


def test_a_server_that_gives_no_date_ends_the_doubt_of_a_start() -> None:
    doubt = ClockDoubt()
    doubt.undated()
    assert not doubt.lasts


def test_a_server_that_gives_no_date_ends_no_doubt_after_a_step() -> None:
    doubt = ClockDoubt()
    doubt.begin()
    doubt.undated()
    after_no_date = doubt.lasts
    doubt.end()
    assert (after_no_date, doubt.lasts) == (True, False)
