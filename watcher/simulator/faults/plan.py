"""The schedule of faults: which calls they affect, from when, how long, and how often.

Pure: the caller passes times and random numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from watcher.simulator.calls import Call, CallKind

_FINAL_STATUSES: Final = (200, 599)
_BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_HEADER_VALUE: Final = re.compile("[!-~\xa1-\xff](?:[ -~\xa0-\xff]*[!-~\xa1-\xff])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault; options that are not set do not limit it.

    The options at the end are for some kinds only: see ``watcher.simulator.faults.kinds``.
    """

    kind: str
    service: str | None = None
    call: CallKind | None = None
    times: int | None = None
    """Affects so many requests and then ends."""
    rate: float = 1.0
    """Affects this share of the requests, from 0 to 1."""
    at_seconds: float | None = None
    """Begins so long after the simulator's start; ``None`` means now."""
    for_seconds: float | None = None
    """Lasts so long from its beginning."""

    retry_after: str | None = None
    retry_after_date_seconds: float | None = None
    seconds: float | None = None
    size: int | None = None
    status: int | None = None
    text: str | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate is {self.rate}; give a share from 0 to 1")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times is {self.times}; give 1 or more, or leave it out")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size is {self.size}; give 1 or more, or leave it out")
        _check_status(self.status, self.text)
        for name in ("retry_after", "content_type"):
            _check_header(name, getattr(self, name))


def _check_status(status: int | None, text: str | None) -> None:
    if status is None:
        return
    if not _FINAL_STATUSES[0] <= status <= _FINAL_STATUSES[1]:
        raise ValueError(f"status is {status}; give one from {_FINAL_STATUSES[0]} to {_FINAL_STATUSES[1]}")
    if status in _BODILESS and text:
        raise ValueError(f"an answer with status {status} has no body; leave text out")


def _check_header(name: str, value: str | None) -> None:
    if value is not None and not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"{name} is {value!r}; give Latin-1 without control characters or blanks at its ends")


OPTIONS: Final = ("retry_after", "retry_after_date_seconds", "seconds", "size", "status", "text", "content_type")
"""The fields of ``Fault`` that only some kinds accept."""


@dataclass(slots=True)
class PlannedFault:
    """A fault that was set, with its number of affected requests."""

    id: int
    fault: Fault
    from_seconds: float
    struck: int = 0

    @property
    def until_seconds(self) -> float:
        """The time of its end; infinity if it has none."""
        return math.inf if self.fault.for_seconds is None else self.from_seconds + self.fault.for_seconds

    def has_ended(self, seconds: float) -> bool:
        """Return whether the fault is over."""
        spent = self.fault.times is not None and self.struck >= self.fault.times
        return spent or seconds >= self.until_seconds

    def concerns(self, call: Call, seconds: float) -> bool:
        """Return whether the fault may affect this call at this time."""
        fault = self.fault
        return (
            self.from_seconds <= seconds
            and not self.has_ended(seconds)
            and fault.service in {None, call.service}
            and fault.call in {None, call.kind}
        )


class FaultPlan:
    """The faults that were set; the earliest one that concerns a call applies."""

    def __init__(self) -> None:
        self._faults: dict[int, PlannedFault] = {}
        self._latest_id = 0

    def add(self, fault: Fault, now_seconds: float) -> int:
        """Set a fault and return its number, for ``remove``."""
        self._latest_id += 1
        from_seconds = now_seconds if fault.at_seconds is None else fault.at_seconds
        self._faults[self._latest_id] = PlannedFault(self._latest_id, fault, from_seconds)
        return self._latest_id

    def remove(self, fault_id: int) -> bool:
        """End a fault; return false if the number is unknown."""
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()

    def choose(self, call: Call, seconds: float, draw: Callable[[], float]) -> Fault | None:
        """Return the fault that applies to this call, or ``None``.

        Args:
            call: the received call.
            seconds: its time since the simulator's start.
            draw: returns a random number from 0 (inclusive) to 1 (exclusive), for each fault with a rate.
        """
        for planned in self._faults.values():
            if planned.concerns(call, seconds) and (planned.fault.rate >= 1 or draw() < planned.fault.rate):
                planned.struck += 1
                return planned.fault
        return None

    @property
    def planned(self) -> tuple[PlannedFault, ...]:
        """Every fault that was set and not removed, ended ones too."""
        return tuple(self._faults.values())
