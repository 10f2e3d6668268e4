"""Whether the wall clock can be trusted: not before a server's ``Date`` agrees with it, and not after a step."""

from __future__ import annotations

from collections.abc import Callable

from watcher.clock import STEP_SECONDS
from watcher.pipeline.ports import Clock


class ClockTrust:
    """While the clock is not trusted, no delivery expires and no history is pruned.

    A process starts without trust: the clock may have stepped while no process ran, or under one that died.

    Args:
        clock: the clocks. Each question compares them, so that a step has no effect before somebody notes it.
        on_trusted: called when the clock becomes trusted.
    """

    def __init__(self, clock: Clock, on_trusted: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._on_trusted = on_trusted
        self._agreed_offset: float | None = None
        """Wall less monotonic time at the latest agreement with a server; ``None`` without one since a step."""
        self._stepped = False

    @property
    def trusted(self) -> bool:
        """Whether a server has agreed with the wall clock, and it has not stepped since then."""
        return self._agreed_offset is not None and abs(self._offset() - self._agreed_offset) <= STEP_SECONDS

    def note_step(self) -> None:
        """Note that the wall clock has stepped."""
        self._agreed_offset = None
        self._stepped = True

    def note_undated(self) -> None:
        """Note an answer without a ``Date``: after a start, it is enough, since some servers never send one."""
        if not self._stepped and self._agreed_offset is None:
            self.note_agreement()

    def note_agreement(self) -> None:
        """Note that a server's ``Date`` agrees with the wall clock."""
        was_trusted = self.trusted
        self._stepped = False
        self._agreed_offset = self._offset()
        if not was_trusted:
            self._on_trusted()

    def _offset(self) -> float:
        return self._clock.utc_now().timestamp() - self._clock.monotonic()
