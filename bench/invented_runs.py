"""Invented durations of runs, with a median near 1: distributions, growth and sudden changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from random import Random

Draw = Callable[[Random, int], float]
"""Returns the duration of the run with a number from 0 on."""


@dataclass(frozen=True, slots=True)
class Population:
    """A named distribution; ``has_bar`` where false alarms are limited."""

    name: str
    draw: Draw
    has_bar: bool = True


def log_normal(variation: float) -> Draw:
    """Return a log-normal distribution with a coefficient of variation."""
    spread = sqrt(log(1 + variation**2))
    return lambda random, _number: exp(spread * random.gauss(0, 1))


def gamma(variation: float) -> Draw:
    """Return a gamma distribution with a coefficient of variation and the mean 1."""
    shape = 1 / variation**2
    return lambda random, _number: random.gammavariate(shape, 1 / shape)


def two_humps(share: float, factor: float) -> Draw:
    """Return runs of which a share takes a multiple of the others, each with a variation of 0.15."""
    hump = log_normal(0.15)
    return lambda random, number: hump(random, number) * (factor if random.random() < share else 1)


def growing(rate: float, variation: float) -> Draw:
    """Return log-normal runs that grow by a rate from each to the next."""
    level = log_normal(variation)
    return lambda random, number: level(random, number) * (1 + rate) ** number


def doubling(variation: float, first: int) -> Draw:
    """Return log-normal runs that take twice the time from the number ``first`` on."""
    level = log_normal(variation)
    return lambda random, number: level(random, number) * (2 if number >= first else 1)


VARIATIONS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
POPULATIONS = (
    *(Population(f"log-normal, variation {value}", log_normal(value)) for value in VARIATIONS),
    *(Population(f"gamma, variation {value}", gamma(value)) for value in VARIATIONS),
    *(Population(f"two humps, 1 of 2 takes {factor} times", two_humps(0.5, factor)) for factor in (2, 3)),
    *(Population(f"two humps, 1 of 5 takes {factor} times", two_humps(0.2, factor)) for factor in (2, 3)),
    Population("two humps, 1 of 10 takes 3 times", two_humps(0.1, 3), has_bar=False),
    *(Population(f"growth of 0.5 % a run, variation {value}", growing(0.005, value)) for value in (0.1, 0.3)),
    *(Population(f"growth of 1 % a run, variation {value}", growing(0.01, value)) for value in (0.1, 0.3)),
)
