"""The quantile of a histogram is that of Prometheus, so that the page and a dashboard show one number."""

from __future__ import annotations

import math

import pytest

from watcher.core.health.daemon_figures import quantile

BOUNDS = (0.1, 0.5, 1.0, math.inf)


@pytest.mark.parametrize(
    ("counts", "value"),
    [
        ((0, 0, 0, 0), None),
        ((100, 100, 100, 100), 0.095),
        ((90, 100, 100, 100), 0.3),
        ((0, 0, 10, 10), 0.975),
        # Above the last bound nothing more is known.
        ((0, 0, 0, 10), 1.0),
    ],
)
def test_a_quantile_lies_within_its_bucket(counts: tuple[int, ...], value: float | None) -> None:
    found = quantile(list(zip(BOUNDS, counts, strict=True)), 0.95)
    assert found == (None if value is None else pytest.approx(value))


def test_no_bucket_has_no_quantile() -> None:
    assert quantile([], 0.95) is None
