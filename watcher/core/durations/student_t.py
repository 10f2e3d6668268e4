"""Student's t distribution: the one to predict with when mean and spread come from a few values."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from math import exp, lgamma, log, log1p, pi, sqrt
from typing import Final

PRECISION: Final = 1e-15
SMALLEST_SHARE: Final = 1e-150
"""Stands for smaller shares, whose densities a float cannot hold."""
TINY: Final = 1e-300
"""Stands for zero in denominators."""
MOST_STEPS: Final = 50
"""Newton's method needs two to five."""
NEARLY: Final = 1e-8
"""A step of this relative size was the last one, as the next would be its square."""
KEPT_VALUES: Final = 256
"""The limits of all populations ask for one share, with 4 to 49 degrees."""


def share_above(value: float, degrees: int) -> float:
    """Return the probability of more than ``value``, with ``degrees`` of freedom."""
    square = value * value
    half = _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square), square / (degrees + square)) / 2
    return half if value >= 0 else 1 - half


@lru_cache(KEPT_VALUES)
def value_with(share: float, degrees: int) -> float:
    """Return the value that is exceeded with the probability ``share``, between 0 and 1; 2 degrees or more."""
    if share > 0.5:  # noqa: PLR2004 - the distribution is symmetric
        return -value_with(1 - share, degrees)
    share = max(share, SMALLEST_SHARE)
    value = _approximate(share, degrees)
    for _step in range(MOST_STEPS):
        above = share_above(value, degrees)
        # On the logarithm of the share, because a share far out is nearly 0, and so is its slope.
        change = log(above / share) * above / _density(value, degrees)
        value = max(value + change, value / 2)
        if abs(change) <= NEARLY * max(1.0, value):
            break
    return value


def _approximate(share: float, degrees: int) -> float:
    """Return Gaver and Kafadar's approximation, a few per cent beside the value."""
    from statistics import NormalDist  # noqa: PLC0415 - it loads much, and an idle daemon needs none of it

    normal = NormalDist().inv_cdf(share)
    return sqrt(degrees * (exp(normal * normal * (degrees - 1.5) / (degrees - 1) ** 2) - 1))


def _density(value: float, degrees: int) -> float:
    scale = lgamma((degrees + 1) / 2) - lgamma(degrees / 2) - log(degrees * pi) / 2
    return exp(scale - (degrees + 1) / 2 * log1p(value * value / degrees))


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Return the regularised incomplete beta function at ``x``; ``rest`` is 1 - x without its rounding."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(rest))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    upper, lower = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = lower
    for m in count(1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / _not_zero(1 + term * lower)
            upper = _not_zero(1 + term / upper)
            result *= lower * upper
        if abs(lower * upper - 1) < PRECISION or m > MOST_STEPS * 10:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
