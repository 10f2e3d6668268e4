"""How late a change is seen at most and usually, and whether an account's budget is enough for its looks. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

ROUNDING: Final = 1e-9
"""The share by which sums of fractions may be off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the looks of one account ask of its budget while everything is in progress."""

    polls: int
    needed_per_second: float
    allowed_per_second: float

    @property
    def exceeds(self) -> bool:
        """Whether more is asked than allowed, so that the intervals cannot be kept."""
        return self.needed_per_second > self.allowed_per_second * (1 + ROUNDING)

    @property
    def turn(self) -> timedelta:
        """The time in which each look has had one request: ``n / r``.

        Where no interval is shorter, the budget is enough.
        """
        return timedelta(seconds=self.polls / self.allowed_per_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """From a change at AiTEMS to the answer that shows it."""

    typical: timedelta
    worst: timedelta


def demand_of(intervals: Iterable[timedelta], requests_per_second: float) -> Demand:
    """Add up the requests of looks at these intervals; a list call counts as one page."""
    every = tuple(intervals)
    needed = sum(timedelta(seconds=1) / interval for interval in every)
    return Demand(polls=len(every), needed_per_second=needed, allowed_per_second=requests_per_second)


def delay_of(interval: timedelta, deadline: timedelta, demand: Demand, *, by_list: bool) -> Delay:
    """Return how late a change is seen while everything of the account is in progress.

    With the interval ``I``, the call's deadline ``T``, ``n`` looks of the account and its budget of ``r`` requests a
    second, the effective interval is ``E = max(I, n / r)``. A change falls anywhere between two looks:

    - typical: ``E / 2``;
    - worst, by a view: ``E + T``, a change just after a look, and an answer that takes all its time;
    - worst, by a list: ``2 E + T``, an end that a list shows is confirmed by a view, and where that view fails, by
      the next list.

    Looks that fail altogether are no part of it: how long an outage lasts is not ours to say.
    """
    effective = max(interval, demand.turn)
    polls = 2 if by_list else 1
    return Delay(typical=effective / 2, worst=effective * polls + deadline)


def rounded_up(duration: timedelta) -> timedelta:
    """Round up to what a person reads: tenths of a second below ten seconds, whole seconds above."""
    unit = timedelta(milliseconds=100) if duration < timedelta(seconds=10) else timedelta(seconds=1)
    return unit * math.ceil(duration / unit)
