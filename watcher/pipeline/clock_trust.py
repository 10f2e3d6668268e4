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
        self._is_dated = False
        """Whether that agreement was a ``Date``, and not only an answer without one."""
        self._needs_date = False
        """Whether answers without a ``Date`` are not enough: after a step, or after a ``Date`` that disagreed."""

    @property
    def trusted(self) -> bool:
        """Whether a server has agreed with the wall clock, and it has not stepped since then."""
        return self._agreed_offset is not None and abs(self._offset() - self._agreed_offset) <= STEP_SECONDS

    def note_step(self) -> None:
        """Note that the wall clock has stepped."""
        self._agreed_offset = None
        self._is_dated = False
        self._needs_date = True

    def note_undated(self) -> None:
        """Note an answer without a ``Date``: after a start, it is enough, since some servers never send one."""
        if not self._needs_date and self._agreed_offset is None:
            self._agree()

    def note_agreement(self) -> None:
        """Note that a server's ``Date`` agrees with the wall clock."""
        self._is_dated = True
        self._needs_date = False
        self._agree()

    def note_disagreement(self) -> None:
        """Note that a server's ``Date`` differs: trust stays only where another ``Date`` agreed since the last step."""
        if not self._is_dated:
            self.note_step()

    def _agree(self) -> None:
        was_trusted = self.trusted
        self._agreed_offset = self._offset()
        if not was_trusted:
            self._on_trusted()

    def _offset(self) -> float:
        return self._clock.utc_now().timestamp() - self._clock.monotonic()
