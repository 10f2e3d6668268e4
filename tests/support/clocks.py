"""A wall clock that agrees with the ``Date`` of a server."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.ports import Clock


def trusted_clock(clock: Clock) -> ClockTrust:
    """Return the clock trust after the first answer with a ``Date``."""
    clock_trust = ClockTrust(clock)
    clock_trust.note_agreement()
    return clock_trust
