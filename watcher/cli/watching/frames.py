"""Shows one text again and again: in one place of a terminal, or one below the other in a pipe."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from watcher.cli.text.output import BAD, LEAST_WIDTH, Screen, cell
from watcher.core.plural import counted

SECONDS: Final = 2.0
"""The time between two texts."""
HOME: Final = "\x1b[H"
ERASE_LINE: Final = "\x1b[K"
ERASE_BELOW: Final = "\x1b[J"
"""Cursor to the corner, clear the rest of the line, clear the rest of the screen (ECMA-48)."""
USUAL_SIZE: Final = os.terminal_size((80, 24))
LEAST_ROWS: Final = 2

Show = Callable[[Screen], object]
"""Writes the text once."""


def repeat(show: Show, out: Screen, expected: type[Exception], *, in_place: bool) -> None:
    """Show a text every two seconds until Ctrl-C.

    Args:
        show: writes the text.
        out: standard output.
        expected: an error that is shown in place of a later text, as what failed may be repaired meanwhile. The first
            text raises it.
        in_place: whether a terminal shows only the latest text.
    """

    def show_again(to: Screen) -> None:
        try:
            show(to)
        except expected as error:
            to.line(cell(error, BAD))

    draw, pause = (_Drawing(out), _pause) if in_place and out.terminal else (_Appending(out), time.sleep)
    with suppress(KeyboardInterrupt), _resizes_pending():
        draw(show)
        while True:
            pause(SECONDS)
            draw(show_again)
    if in_place and out.terminal:
        # The cursor is behind the last line of the text.
        out.stream.write("\n")


class _Appending:
    """Writes each text below the one before, with an empty line between them."""

    def __init__(self, out: Screen) -> None:
        self._out = out
        self._first = True

    def __call__(self, show: Show) -> None:
        if not self._first:
            self._out.line()
        self._first = False
        show(self._out)
        self._out.flush()


class _Drawing:
    """Writes each text over the one before, in one write and without clearing it first, so that nothing flickers."""

    def __init__(self, out: Screen) -> None:
        self._out = out
        self._has_room = False

    def __call__(self, show: Show) -> None:
        size = _size_of(self._out)
        lines = _fitted(_lines(show, self._out, size.columns), size)
        # At first, what the terminal shows scrolls off, where it can be scrolled back to.
        room = "" if self._has_room else "\n" * (size.lines - 1)
        self._has_room = True
        text = (ERASE_LINE + "\n").join(lines)
        self._out.stream.write(f"{room}{HOME}{text}{ERASE_LINE}{ERASE_BELOW}")
        self._out.flush()


def _lines(show: Show, out: Screen, columns: int) -> Sequence[str]:
    stream = io.StringIO()
    show(Screen(stream, terminal=True, colour=out.colour, width=columns, wrapped=True))
    return stream.getvalue().rstrip("\n").split("\n")


def _fitted(lines: Sequence[str], size: os.terminal_size) -> Sequence[str]:
    """Return the lines that the terminal has rows for; the last one then counts the others."""
    rows = max(size.lines, LEAST_ROWS)
    if len(lines) <= rows:
        return lines
    rest = counted(len(lines) - rows + 1, "more line")
    return [*lines[: rows - 1], f"{rest}: enlarge the terminal"[: size.columns]]


def _size_of(out: Screen) -> os.terminal_size:
    """Return the present size; ``COLUMNS`` would not change with the terminal."""
    try:
        size = os.get_terminal_size(out.stream.fileno())
    except (OSError, ValueError):
        return USUAL_SIZE
    return os.terminal_size((max(size.columns, LEAST_WIDTH), size.lines)) if size.columns else USUAL_SIZE


@contextmanager
def _resizes_pending() -> Iterator[None]:
    """Keep the signal that the terminal has another size until ``_pause`` takes it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pause(seconds: float) -> None:
    """Sleep, but only until the terminal has another size."""
    signal.sigtimedwait({signal.SIGWINCH}, seconds)
