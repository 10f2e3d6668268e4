"""Whether the wall clock can be trusted: not before a server's ``Date`` agrees with it, and not after a step."""

from __future__ import annotations

from collections.abc import Callable


class ClockTrust:
    """While the clock is not trusted, no delivery expires and no history is pruned.

    A process starts without trust: the clock may have stepped while no process ran, or under one that died.

    Args:
        on_trusted: called when the clock becomes trusted.
    """

    def __init__(self, on_trusted: Callable[[], None] = lambda: None) -> None:
        self.trusted = False
        self._stepped = False
        self._on_trusted = on_trusted

    def note_step(self) -> None:
        """Note that the wall clock has stepped."""
        self.trusted = False
        self._stepped = True

    def note_undated(self) -> None:
        """Note an answer without a ``Date``: after a start, it is enough, since some servers never send one."""
        if not self._stepped:
            self.note_agreement()

    def note_agreement(self) -> None:
        """Note that a server's ``Date`` agrees with the wall clock."""
        self._stepped = False
        if not self.trusted:
            self.trusted = True
            self._on_trusted()
