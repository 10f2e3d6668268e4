"""The usual and the longest delay until a change is detected, and the demand of polls on an account's budget."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from watcher.core.polling.schedule import Cadence

ROUNDING: Final = 1e-9
"""The relative error that a sum of fractions may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The requests of one account while everything is in progress, against its budget."""

    polls: int
    needed_per_second: float
    allowed_per_second: float

    @property
    def exceeds(self) -> bool:
        """Whether the polls need more requests than allowed, so that their intervals cannot be kept."""
        return self.needed_per_second > self.allowed_per_second * (1 + ROUNDING)

    @property
    def cycle(self) -> timedelta:
        """The time for one request of each poll: ``n / r``.

        The budget is enough where no interval is shorter.
        """
        return timedelta(seconds=self.polls / self.allowed_per_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The time from a change at AiTEMS to the answer that shows it."""

    typical: timedelta
    in_progress: timedelta
    """The longest while the training is in progress."""
    worst: timedelta
    """The longest of all: after a day without a change, the idle interval counts."""


def demand_of(intervals: Iterable[timedelta], requests_per_second: float) -> Demand:
    """Return the demand of polls with these intervals; a list call counts as one page."""
    every = tuple(intervals)
    needed = sum(timedelta(seconds=1) / interval for interval in every)
    return Demand(polls=len(every), needed_per_second=needed, allowed_per_second=requests_per_second)


def delay_of(cadence: Cadence, deadline: timedelta, demand: Demand, *, by_list: bool) -> Delay:
    """Return the delay until a change is detected while everything of the account is in progress, and else.

    With the interval ``I``, the idle interval ``J``, the call's deadline ``T``, ``n`` polls of the account and its
    budget of ``r`` requests a second, the effective intervals are ``E = max(I, n / r)`` and ``F = max(J, n / r)``. A
    change falls anywhere between two polls:

    - typical: ``E / 2``;
    - in progress, by a view: ``E + T``. The change comes just after a poll, and the next answer takes the whole
      deadline. With ``interval = "auto"``, ``E`` is its longest wait there.
    - in progress, by a list: ``2 E + T``. A view confirms an end that a list shows; if that view fails, the next list
      does.
    - worst: ``F + T`` by a view and ``F + E + T`` by a list. A status that waits for confirmation is polled fast.

    Failed polls are excluded, because the length of an outage is unknown.
    """
    busy, idle = max(cadence.interval, demand.cycle), max(cadence.interval, cadence.idle_interval, demand.cycle)
    confirmation = busy if by_list else timedelta()
    longest = max(cadence.longest, demand.cycle)
    return Delay(typical=busy / 2, in_progress=longest + confirmation + deadline, worst=idle + confirmation + deadline)


def new_service_delay(cadence: Cadence, deadline: timedelta, demand: Demand) -> timedelta:
    """Return the longest time until a new service is polled: the list of services comes at the idle interval."""
    return max(cadence.interval, cadence.idle_interval, demand.cycle) + 2 * deadline


def rounded_up(duration: timedelta) -> timedelta:
    """Return a duration rounded up for people: to tenths of a second below ten seconds, else to whole seconds."""
    unit = timedelta(milliseconds=100) if duration < timedelta(seconds=10) else timedelta(seconds=1)
    return unit * math.ceil(duration / unit)
