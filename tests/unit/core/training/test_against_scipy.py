"""Estimates equal those of scipy on the same data; scipy is no dependency of the watcher."""

from __future__ import annotations

from datetime import timedelta
from math import exp, log, sqrt
from random import Random

import pytest
from scipy import stats  # type: ignore[import-untyped]  # no stubs

from tests.support.past_runs import NOW, past_run, past_runs
from watcher.core.durations.past_runs import Outcome, Sample, quantile
from watcher.core.durations.prediction import prediction_of
from watcher.core.durations.student_t import share_above, value_with
from watcher.core.durations.usual_durations import product_limit, until_completion


def invented(runs: int, seed: int) -> list[float]:
    random = Random(seed)  # noqa: S311 - invented data
    return [round(3600 * exp(random.gauss(0, 0.3)), 3) for _ in range(runs)]


@pytest.mark.parametrize("degrees", [2, 4, 9, 29, 49])
@pytest.mark.parametrize("share", [0.99, 0.6, 0.4, 0.1, 0.009, 0.005, 1e-6, 1e-30, 1e-140])
def test_students_t(share: float, degrees: int) -> None:
    assert value_with(share, degrees) == pytest.approx(float(stats.t.isf(share, degrees)), rel=1e-8)
    for value in (-6.0, -0.5, 0.0, 0.01, 2.0, 50.0):
        assert share_above(value, degrees) == pytest.approx(float(stats.t.sf(value, degrees)), rel=1e-10)


@pytest.mark.parametrize("runs", [10, 11, 23, 50])
def test_quantiles_of_many_runs(runs: int) -> None:
    seconds = invented(runs, runs)
    shares = (0.01, 0.05, 0.1, 0.5, 0.9, 0.99)
    expected = stats.mstats.mquantiles(seconds, shares, alphap=1, betap=1)
    assert [quantile(seconds, share) for share in shares] == pytest.approx([float(value) for value in expected])


@pytest.mark.parametrize("runs", [5, 7, 9])
def test_the_log_normal_distribution_of_few_runs(runs: int) -> None:
    seconds = invented(runs, runs)
    spread = stats.tstd([log(value) for value in seconds])
    fitted = stats.lognorm(s=spread, scale=stats.gmean(seconds))
    usual = until_completion(past_runs(seconds), NOW)
    assert usual is not None
    found = [time.total_seconds() for time in (usual.low, usual.median, usual.high)]
    assert found == pytest.approx([float(fitted.ppf(share)) for share in (0.1, 0.5, 0.9)], rel=1e-8)


@pytest.mark.parametrize("runs", [5, 12, 40])
@pytest.mark.parametrize("elapsed", [0, 2400, 3600, 6000])
def test_the_prediction_given_the_time_spent(runs: int, elapsed: int) -> None:
    seconds = invented(runs, runs)
    logs = [log(value) for value in seconds]
    recent = logs[-12:]
    fitted = stats.t(df=runs - 1, loc=stats.tmean(recent), scale=stats.tstd(logs) * sqrt(1 + 1 / len(recent)))
    longer = fitted.sf(log(elapsed)) if elapsed else 1.0
    prediction = prediction_of(Sample(seconds=tuple(seconds)))
    for share in (0.1, 0.5, 0.9):
        found = prediction.duration_by(share, timedelta(seconds=elapsed)).total_seconds()
        assert found == pytest.approx(exp(float(fitted.isf((1 - share) * longer))), rel=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_the_product_limit_estimate(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - invented data
    seconds = [float(random.randint(1, 15)) for _ in range(30)]
    failed = [random.random() < 0.4 for _ in seconds]
    runs = [
        past_run(value, outcome=Outcome.FAILED if end else Outcome.COMPLETED)
        for value, end in zip(seconds, failed, strict=True)
    ]
    estimate = stats.ecdf(stats.CensoredData.right_censored(seconds, failed)).sf
    steps = product_limit(runs, NOW)
    expected = [float(estimate.evaluate(step.after.total_seconds())) for step in steps]
    assert [step.share for step in steps] == pytest.approx(expected)
    assert {step.after.total_seconds() for step in steps} == {
        v for v, end in zip(seconds, failed, strict=True) if not end
    }
