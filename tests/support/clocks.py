"""A wall clock that agrees with the ``Date`` of a server."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockTrust


def trusted_clock() -> ClockTrust:
    """Return the clock trust after the first answer with a ``Date``."""
    clock_trust = ClockTrust()
    clock_trust.note_agreement()
    return clock_trust
