"""When the wall clock is trusted."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockTrust


def test_after_a_start_the_clock_is_trusted_once_a_server_agrees() -> None:
    calls: list[bool] = []
    clock_trust = ClockTrust(on_trusted=lambda: calls.append(clock_trust.trusted))
    trusted_at_start = clock_trust.trusted
    clock_trust.note_agreement()
    clock_trust.note_agreement()
    assert (trusted_at_start, calls) == (False, [True])


def test_after_a_start_an_answer_without_a_date_is_enough() -> None:
    clock_trust = ClockTrust()
    clock_trust.note_undated()
    assert clock_trust.trusted


def test_after_a_step_an_answer_without_a_date_is_not_enough() -> None:
    clock_trust = ClockTrust()
    clock_trust.note_step()
    clock_trust.note_undated()
    trusted_without_date = clock_trust.trusted
    clock_trust.note_agreement()
    assert (trusted_without_date, clock_trust.trusted) == (False, True)
