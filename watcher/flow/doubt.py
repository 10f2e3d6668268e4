"""Whether the wall clock can be believed: after a step it cannot, until a server's ``Date`` agrees with it."""

from __future__ import annotations


class ClockDoubt:
    """While it lasts, nothing is given up or forgotten for its age."""

    def __init__(self) -> None:
        self.lasts = False

    def begin(self) -> None:
        """Note that the wall clock has stepped."""
        self.lasts = True

    def end(self) -> None:
        """Note that a server's ``Date`` agrees with our clock."""
        self.lasts = False
