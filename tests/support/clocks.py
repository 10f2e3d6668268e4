"""A wall clock that a server's ``Date`` has agreed with."""

from __future__ import annotations

from watcher.pipeline.clock_trust import ClockDoubt


def believed() -> ClockDoubt:
    """Return what the stages share once the first dated answer has come."""
    doubt = ClockDoubt()
    doubt.end()
    return doubt
