"""A simulator that writes down when each call came, for whom, and whether a fault struck it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.support.recording_simulator import RecordingSimulator
from watcher.simulator import CallKind, Fault
from watcher.simulator.calls import Call


@dataclass(frozen=True, slots=True)
class Arrival:
    """One good request as the server received it."""

    at: float
    """Seconds of the simulator's monotonic clock."""
    kind: CallKind
    service: str
    version: str
    struck: bool


class Clerk(RecordingSimulator):
    """Remembers each arrival; where ``every`` is given, a fault strikes each so-manieth request only."""

    def __init__(self, *args: Any, every: int = 1, **options: Any) -> None:
        super().__init__(*args, **options)
        self.arrivals: list[Arrival] = []
        self._every = every
        self._concerned = 0

    def fault_for(self, call: Call) -> Fault | None:
        """Choose the fault, and remember the arrival."""
        fault = super().fault_for(call)
        if fault is not None:
            self._concerned += 1
            fault = fault if self._concerned % self._every == 0 else None
        arrival = Arrival(self.monotonic(), call.kind, call.service, call.version, fault is not None)
        self.arrivals.append(arrival)
        return fault

    def struck(self) -> int:
        """Return how many requests a fault struck."""
        return sum(arrival.struck for arrival in self.arrivals)

    def listed(self, service: str) -> list[float]:
        """Return when the trainings of a service were asked for."""
        return [item.at for item in self.arrivals if item.kind is CallKind.LIST and item.service == service]

    def asked(self, service: str) -> int:
        """Return how many requests were about a service."""
        return sum(arrival.service == service for arrival in self.arrivals)


def longest_gap(moments: Iterable[float]) -> float:
    """Return the longest time between two neighbours, in seconds."""
    return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)


def busiest_second(moments: Iterable[float]) -> int:
    """Return how many of these moments the fullest window of one second holds, its end left out."""
    ordered = sorted(moments)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most
