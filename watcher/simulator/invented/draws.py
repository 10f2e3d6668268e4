"""Random numbers and the quantities made from them: durations, choices, ids.

Pure: the caller draws the random numbers and seeds them. The same numbers give the same quantities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeVar

Draw = Callable[[], float]
"""Returns the next number from 0 (inclusive) to 1 (exclusive), as ``random.Random(seed).random`` does."""

Chosen = TypeVar("Chosen")

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 11
_NORMAL: Final = NormalDist()
_SHORTEST_SECONDS: Final = 0.001
_LEAST: Final = 2.0**-54
"""Replaces a draw of exactly 0, whose quantile is infinite."""


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal distribution of durations."""

    median_seconds: float
    variation: float = 0.3
    """The coefficient of variation: the standard deviation divided by the mean."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.median_seconds) and self.median_seconds > 0):
            raise ValueError("a median is more than 0s")
        if not (math.isfinite(self.variation) and self.variation >= 0):
            raise ValueError("a coefficient of variation is zero or more")

    def seconds(self, draw: Draw) -> float:
        """Return a random duration of at least a millisecond, from one draw."""
        sigma = math.sqrt(math.log1p(self.variation**2))
        return max(_SHORTEST_SECONDS, self.median_seconds * math.exp(sigma * _NORMAL.inv_cdf(max(draw(), _LEAST))))


def choice(draw: Draw, values: Sequence[Chosen]) -> Chosen:
    """Return one of the values, from one draw."""
    return values[int(draw() * len(values))]


def identifier(draw: Draw) -> str:
    """Return an id of the form that AiTEMS gives: eleven digits and small letters."""
    return "".join(choice(draw, _ALPHABET) for _ in range(_ID_LENGTH))


def require_share(name: str, value: float) -> None:
    """Raise ``ValueError`` unless the value is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: a share is from 0 to 1, not {value:g}")
