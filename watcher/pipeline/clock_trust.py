"""Whether the wall clock can be believed: until a server's ``Date`` agrees with it, and after a step, it cannot."""

from __future__ import annotations

from collections.abc import Callable


class ClockTrust:
    """While it lasts, nothing is given up or forgotten for its age.

    A process begins in doubt: the clock may have stepped while there was none, or under one that died.
    """

    def __init__(self) -> None:
        self.lasts = True
        self._stepped = False
        self.on_end: Callable[[], None] = lambda: None
        """Called when the clock is believed again."""

    def begin(self) -> None:
        """Note that the wall clock has stepped."""
        self.lasts = self._stepped = True

    def undated(self) -> None:
        """Note an answer without a ``Date``: where no server gives one, a start must not be doubted for ever."""
        if not self._stepped:
            self.end()

    def end(self) -> None:
        """Note that a server's ``Date`` agrees with our clock."""
        self._stepped = False
        if self.lasts:
            self.lasts = False
            self.on_end()
