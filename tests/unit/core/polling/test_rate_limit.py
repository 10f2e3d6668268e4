"""The rate limit: at most ceil(rate) starts in any window of one second, for any arrivals."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.polling.rate_limit import MARGIN_SECONDS, RateLimiter

rates = st.floats(min_value=0.05, max_value=50)
arrivals = st.lists(st.floats(min_value=0, max_value=20), max_size=60).map(sorted)
ROUNDING = 1e-9


def starts(rate_limiter: RateLimiter, times: list[float]) -> list[float]:
    """Start one request at each time, or as soon after it as the limiter allows."""
    now, started = 0.0, []
    for time in times:
        now = max(now, time)
        now += rate_limiter.wait_seconds(now)
        rate_limiter = rate_limiter.started(now)
        started.append(now)
    return started


@given(rates, arrivals)
def test_no_window_of_a_second_holds_more_starts_than_the_rate_allows(rate: float, times: list[float]) -> None:
    in_a_window = math.ceil(rate)
    started = starts(RateLimiter.of_rate(rate), times)
    for first, beyond in zip(started, started[in_a_window:], strict=False):
        assert beyond - first >= 1 + MARGIN_SECONDS - ROUNDING * in_a_window


@given(rates, arrivals)
def test_starts_are_spread_evenly(rate: float, times: list[float]) -> None:
    for earlier, later in pairwise(starts(RateLimiter.of_rate(rate), times)):
        assert later - earlier >= 1 / rate - ROUNDING


def test_the_first_start_is_immediate() -> None:
    assert RateLimiter.of_rate(1).wait_seconds(5.0) == 0.0


def test_a_rate_below_one_spaces_starts_by_its_inverse() -> None:
    rate_limiter = RateLimiter.of_rate(0.2).started(100.0)
    assert rate_limiter.wait_seconds(101.0) == pytest.approx(4.0)


def test_a_steady_stream_uses_the_rate_up_to_the_margin() -> None:
    started = starts(RateLimiter.of_rate(4), [0.0] * 41)
    assert started[-1] == pytest.approx(10 * (1 + MARGIN_SECONDS))


def test_a_pause_delays_starts_and_is_not_shortened_by_another() -> None:
    rate_limiter = RateLimiter.of_rate(10).paused(60.0).paused(30.0)
    assert rate_limiter.wait_seconds(0.0) == 60.0
    assert rate_limiter.started(0.0).wait_seconds(0.0) == 60.0
    assert rate_limiter.wait_seconds(60.0) == 0.0


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_an_invalid_rate_is_rejected(rate: float) -> None:
    with pytest.raises(ValueError, match="requests_per_second"):
        RateLimiter.of_rate(rate)
