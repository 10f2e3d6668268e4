"""When the wall clock is trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watcher.pipeline.clock_trust import ClockTrust


class ManualClock:
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.step = timedelta()

    def utc_now(self) -> datetime:
        return datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=self.seconds) + self.step

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_after_a_start_the_clock_is_trusted_once_a_server_agrees(clock: ManualClock) -> None:
    calls: list[bool] = []
    clock_trust = ClockTrust(clock, on_trusted=lambda: calls.append(clock_trust.trusted))
    trusted_at_start = clock_trust.trusted
    clock_trust.note_agreement()
    clock_trust.note_agreement()
    assert (trusted_at_start, calls) == (False, [True])


def test_after_a_start_an_answer_without_a_date_is_enough(clock: ManualClock) -> None:
    clock_trust = ClockTrust(clock)
    clock_trust.note_undated()
    assert clock_trust.trusted


def test_after_a_step_an_answer_without_a_date_is_not_enough(clock: ManualClock) -> None:
    clock_trust = ClockTrust(clock)
    clock_trust.note_step()
    clock_trust.note_undated()
    trusted_without_date = clock_trust.trusted
    clock_trust.note_agreement()
    assert (trusted_without_date, clock_trust.trusted) == (False, True)


@pytest.mark.parametrize(
    "step", [timedelta(seconds=2), timedelta(hours=-1), timedelta(hours=3), timedelta(days=3653), timedelta(days=-3653)]
)
def test_a_step_that_nobody_has_noted_yet_ends_the_trust(clock: ManualClock, step: timedelta) -> None:
    clock_trust = ClockTrust(clock)
    clock_trust.note_agreement()
    clock.seconds, clock.step = 3600.0, step
    trusted_after_step = clock_trust.trusted
    clock_trust.note_undated()
    trusted_without_date = clock_trust.trusted
    clock_trust.note_agreement()
    assert (trusted_after_step, trusted_without_date, clock_trust.trusted) == (False, False, True)


def test_a_new_agreement_after_an_unnoted_step_calls_back(clock: ManualClock) -> None:
    calls: list[bool] = []
    clock_trust = ClockTrust(clock, on_trusted=lambda: calls.append(True))
    clock_trust.note_agreement()
    clock.step = timedelta(hours=3)
    clock_trust.note_agreement()
    assert calls == [True, True]


def test_slow_corrections_of_the_clock_keep_the_trust(clock: ManualClock) -> None:
    clock_trust = ClockTrust(clock)
    trusted = []
    for minute in range(60):
        clock.seconds, clock.step = 60.0 * minute, timedelta(seconds=0.03 * minute)
        clock_trust.note_agreement()
        clock.seconds += 60.0
        trusted.append(clock_trust.trusted)
    assert all(trusted)


def test_a_date_that_disagrees_ends_trust_without_a_date(clock: ManualClock) -> None:
    clock_trust = ClockTrust(clock)
    clock_trust.note_undated()
    clock_trust.note_disagreement()
    trusted_after_disagreement = clock_trust.trusted
    clock_trust.note_undated()
    trusted_without_date = clock_trust.trusted
    clock_trust.note_agreement()
    assert (trusted_after_disagreement, trusted_without_date, clock_trust.trusted) == (False, False, True)


def test_a_date_that_agreed_is_believed_until_the_next_step(clock: ManualClock) -> None:
    clock_trust = ClockTrust(clock)
    clock_trust.note_agreement()
    clock_trust.note_disagreement()
    trusted_before_step = clock_trust.trusted
    clock_trust.note_step()
    clock_trust.note_disagreement()
    clock_trust.note_undated()
    assert (trusted_before_step, clock_trust.trusted) == (True, False)
