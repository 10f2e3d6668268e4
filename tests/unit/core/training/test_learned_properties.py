"""Laws of everything that is learned from past runs, for any durations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.past_runs import NOW, past_runs
from watcher.core.durations.expected_end import expected_end
from watcher.core.durations.past_runs import Outcome, Sample, sample_of
from watcher.core.durations.prediction import prediction_of
from watcher.core.durations.stuck_limit import learned_limit
from watcher.core.durations.usual_durations import product_limit, until_completion, until_failure, usual_durations

durations = st.floats(min_value=0.001, max_value=1e6)
sample_seconds = st.lists(durations, min_size=5, max_size=60)
parts = st.floats(min_value=0, max_value=20)
powers = st.integers(min_value=-3, max_value=3)


def sample_from(seconds: list[float]) -> Sample:
    sample = sample_of(past_runs(seconds), NOW)
    assert sample is not None
    return sample


@given(sample_seconds)
def test_no_duration_is_negative_and_the_band_is_in_order(seconds: list[float]) -> None:
    sample = sample_from(seconds)
    usual = usual_durations(sample)
    assert timedelta() <= usual.low <= usual.median <= usual.high
    assert usual.longest <= timedelta(seconds=max(seconds))
    assert learned_limit(sample).first >= timedelta(minutes=10)


@given(sample_seconds, parts, parts)
def test_the_longer_a_run_takes_the_later_is_its_expected_end(seconds: list[float], one: float, other: float) -> None:
    sample = sample_from(seconds)
    median = usual_durations(sample).median
    elapsed = sorted([one * median, other * median])
    ends = [expected_end(sample, NOW, NOW + spent).times for spent in elapsed]
    for end, spent in zip(ends, elapsed, strict=True):
        assert end is None or NOW + spent <= end.low <= end.median <= end.high
    if ends[0] is not None and ends[1] is not None:
        assert (ends[0].low, ends[0].median, ends[0].high) <= (ends[1].low, ends[1].median, ends[1].high)
        assert ends[0].median <= ends[1].median + timedelta(microseconds=1)
    assert ends[0] is not None or ends[1] is None


@given(st.lists(durations, max_size=4), st.lists(durations, max_size=30))
def test_nothing_is_said_below_five_completed_runs(completed: list[float], others: list[float]) -> None:
    runs = past_runs(completed) + past_runs(others, Outcome.STOPPED) + past_runs(completed, Outcome.FAILED)
    assert (sample_of(runs, NOW), until_completion(runs, NOW), until_failure(runs, NOW)) == (None, None, None)
    assert product_limit(runs, NOW) == ()


@given(st.lists(st.integers(min_value=10_000, max_value=100_000), min_size=5, max_size=60), powers)
def test_durations_in_another_unit_give_the_same_results_in_that_unit(seconds: list[int], power: int) -> None:
    factor = 2.0**power
    plain = sample_from([float(value) for value in seconds])
    scaled = sample_from([value * factor for value in seconds])
    assert scaled.seconds == pytest.approx([value * factor for value in plain.seconds])
    assert scaled.level_since == plain.level_since
    ratios = [
        usual_durations(scaled).high / usual_durations(plain).high,
        learned_limit(scaled).first / learned_limit(plain).first,
        prediction_of(scaled).seconds_exceeded_by(0.5) / prediction_of(plain).seconds_exceeded_by(0.5),
    ]
    assert ratios == pytest.approx([factor] * 3, rel=1e-6)


@given(st.lists(st.tuples(durations, st.sampled_from(Outcome)), max_size=60))
def test_the_share_of_runs_that_go_on_falls_from_one_to_zero(runs: list[tuple[float, Outcome]]) -> None:
    past = [run for seconds, outcome in runs for run in past_runs([seconds], outcome)]
    steps = product_limit(past, NOW)
    shares = [1.0, *(step.share for step in steps), 0.0]
    assert shares == sorted(shares, reverse=True)
    assert [step.after for step in steps] == sorted({step.after for step in steps})
