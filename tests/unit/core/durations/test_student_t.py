"""Student's t distribution, against its closed forms and published tables."""

from __future__ import annotations

from math import atan, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.durations.student_t import share_above, value_with


@pytest.mark.parametrize("value", [-30.0, -2.0, -0.001, 0.0, 1e-9, 0.5, 1.0, 3.0, 12.0])
def test_the_share_above_a_value_is_that_of_the_closed_forms(value: float) -> None:
    one = 0.5 - atan(value) / pi
    two = 0.5 - value / (2 * sqrt(2 + value**2))
    cosine, sine = sqrt(4 / (4 + value**2)), value / sqrt(4 + value**2)
    four = 0.5 - sine * (1 + cosine**2 / 2) / 2
    assert [share_above(value, degrees) for degrees in (1, 2, 4)] == pytest.approx([one, two, four], rel=1e-9)


@pytest.mark.parametrize(
    ("share", "degrees", "value"),
    [(0.1, 4, 1.533), (0.005, 4, 4.604), (0.0005, 4, 8.610), (0.01, 29, 2.462), (0.005, 29, 2.756), (0.005, 49, 2.680)],
)
def test_a_value_is_that_of_the_published_tables(share: float, degrees: int, value: float) -> None:
    assert value_with(share, degrees) == pytest.approx(value, abs=5e-4)
    assert value_with(1 - share, degrees) == pytest.approx(-value, abs=5e-4)


@given(st.floats(min_value=1e-140, max_value=0.999), st.integers(min_value=2, max_value=60))
def test_the_share_above_a_value_with_a_share_is_that_share(share: float, degrees: int) -> None:
    assert share_above(value_with(share, degrees), degrees) == pytest.approx(share, rel=1e-9)


def test_a_share_of_nothing_has_a_value() -> None:
    assert value_with(0.0, 4) == value_with(1e-200, 4) > 1e30
    assert value_with(0.5, 4) == 0
