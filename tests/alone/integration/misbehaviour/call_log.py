"""A simulator that logs each call: its time, its subject, and whether a fault struck it."""

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
    """One valid request that the simulator received."""

    at: float
    """In seconds of the simulator's monotonic clock."""
    kind: CallKind
    service: str
    version: str
    struck: bool


class CallLog(RecordingSimulator):
    """Logs each arrival; with ``every=3``, a fault strikes every third of its requests only."""

    def __init__(self, *args: Any, every: int = 1, **options: Any) -> None:
        super().__init__(*args, **options)
        self.arrivals: list[Arrival] = []
        self._every = every
        self._matching = 0

    def fault_for(self, call: Call) -> Fault | None:
        """Choose the fault, and log the arrival."""
        fault = super().fault_for(call)
        if fault is not None:
            self._matching += 1
            fault = fault if self._matching % self._every == 0 else None
        arrival = Arrival(self.monotonic(), call.kind, call.service, call.version, fault is not None)
        self.arrivals.append(arrival)
        return fault

    def struck(self) -> int:
        """Return the number of requests that a fault struck."""
        return sum(arrival.struck for arrival in self.arrivals)

    def listed(self, service: str) -> list[float]:
        """Return the times at which a service was listed."""
        return [item.at for item in self.arrivals if item.kind is CallKind.LIST and item.service == service]

    def asked(self, service: str) -> int:
        """Return the number of requests about a service."""
        return sum(arrival.service == service for arrival in self.arrivals)


def longest_gap(times: Iterable[float]) -> float:
    """Return the longest time between two neighbouring times, in seconds."""
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)


def busiest_second(times: Iterable[float]) -> int:
    """Return the largest number of these times in a window of one second, without the end of the window."""
    ordered = sorted(times)
    most = first = 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most
