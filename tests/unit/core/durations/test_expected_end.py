"""The expected end of a run, by the time that it has taken."""

from __future__ import annotations

from datetime import timedelta
from math import exp, log, sqrt
from statistics import fmean, stdev

import pytest

from tests.support.past_runs import NOW
from watcher.core.durations.expected_end import EndReason, EndTimes, ExpectedEnd, expected_end
from watcher.core.durations.past_runs import Sample
from watcher.core.durations.prediction import LONGEST, prediction_of
from watcher.core.durations.stuck_limit import learned_limit
from watcher.core.durations.student_t import share_above

FEW = (3000.0, 3600.0, 3300.0, 3900.0, 3100.0)
MANY = tuple(3000.0 + 60 * number for number in range(20))
SAMPLES = [Sample(seconds=FEW), Sample(seconds=MANY), Sample(seconds=(60.0, 600.0, 6000.0, 100.0, 1000.0, 90.0))]
T_4_AT_90 = 1.5332062740589438


def times_of(end: ExpectedEnd) -> EndTimes:
    assert end.times is not None
    return end.times


def test_before_its_start_a_run_takes_the_predicted_time() -> None:
    logs = [log(value) for value in FEW]
    middle, reach = fmean(logs), T_4_AT_90 * stdev(logs) * sqrt(1 + 1 / 5)
    end = expected_end(Sample(seconds=FEW), NOW, NOW)
    times = times_of(end)
    found = [(time - NOW).total_seconds() for time in (times.low, times.median, times.high)]
    assert found == pytest.approx([exp(middle - reach), exp(middle), exp(middle + reach)], rel=1e-9)
    assert (end.reason, end.runs) == (EndReason.AS_USUAL, 5)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("part", [0.2, 0.9, 1.0, 1.1])
def test_later_only_the_runs_count_that_take_as_long(sample: Sample, part: float) -> None:
    prediction = prediction_of(sample)
    elapsed = timedelta(seconds=part * exp(prediction.center))
    times = times_of(expected_end(sample, NOW - elapsed, NOW))
    longer = prediction.share_longer_than(elapsed)
    for share, time in ((0.1, times.low), (0.5, times.median), (0.9, times.high)):
        value = (log((time - NOW + elapsed).total_seconds()) - prediction.center) / prediction.spread
        assert share_above(value, prediction.degrees) == pytest.approx((1 - share) * longer, rel=1e-5)


def test_past_the_ninetieth_percentile_and_past_the_limit_the_reason_says_so() -> None:
    sample = Sample(seconds=MANY)
    limit = learned_limit(sample).first
    steps = [timedelta(seconds=4000), timedelta(seconds=4100), limit - timedelta(seconds=1), limit, limit * 5]
    ends = [expected_end(sample, NOW - elapsed, NOW) for elapsed in steps]
    assert [end.reason for end in ends] == [
        EndReason.AS_USUAL,
        *[EndReason.LONGER_THAN_MOST] * 2,
        *[EndReason.LONGER_THAN_USUAL] * 2,
    ]
    assert [end.times is None for end in ends] == [False, False, False, True, True]


def test_a_start_in_the_future_counts_as_now() -> None:
    sample = Sample(seconds=FEW)
    assert expected_end(sample, NOW + timedelta(hours=1), NOW) == expected_end(sample, NOW, NOW)


def test_the_prediction_follows_the_last_12_runs() -> None:
    grown = prediction_of(Sample(seconds=(1000.0,) * 30 + (2000.0,) * 12))
    assert exp(grown.center) == pytest.approx(2000)
    assert grown.spread > 0.3


def test_one_outlier_does_not_widen_the_expected_end() -> None:
    plain, spoiled = Sample(seconds=MANY), Sample(seconds=(*MANY[:10], 90_000.0, *MANY[10:]))
    assert times_of(expected_end(spoiled, NOW, NOW)) == times_of(expected_end(plain, NOW, NOW))


def test_a_prediction_far_out_ends_at_ten_years() -> None:
    wild = prediction_of(Sample(seconds=(1.0, 1e8, 1.0, 1e8, 1.0)))
    assert wild.duration_by(0.999999, timedelta(days=900)).total_seconds() == pytest.approx(LONGEST.total_seconds())
    assert wild.duration_by(0.9, timedelta(days=9000)) == timedelta(days=9000)
