"""A wall clock that a server's ``Date`` has agreed with."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockTrust


def believed() -> ClockTrust:
    """Return what the stages share once the first dated answer has come."""
    clock_trust = ClockTrust()
    clock_trust.note_agreement()
    return clock_trust
