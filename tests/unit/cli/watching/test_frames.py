"""Frames: each is drawn over the one before and fits the terminal; a pipe gets one after another."""

from __future__ import annotations

import io
import os
import signal
import threading

import pytest

from watcher.cli.text.output import BAD, Screen, cell
from watcher.cli.watching import frames
from watcher.cli.watching.frames import repeat


class UnreadableError(Exception):
    """An expected error."""


class Shows:
    """Shows numbered texts, until it is interrupted."""

    def __init__(self, lines: int = 1, fails_at: int | None = None, ends_at: int = 3) -> None:
        self.count = 0
        self.lines = lines
        self.fails_at = fails_at
        self.ends_at = ends_at

    def __call__(self, out: Screen) -> None:
        self.count += 1
        if self.count == self.ends_at:
            raise KeyboardInterrupt
        if self.count == self.fails_at:
            raise UnreadableError("the disk is away")
        for number in range(self.lines):
            out.line(cell(f"text {self.count}.{number}", BAD))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "SECONDS", 0.0)


def shown(shows: Shows, *, terminal: bool, in_place: bool = True) -> str:
    stream = io.StringIO()
    repeat(shows, Screen(stream, terminal=terminal, colour=False), UnreadableError, in_place=in_place)
    return stream.getvalue()


def test_a_pipe_gets_one_text_below_the_other() -> None:
    assert shown(Shows(), terminal=False) == "text 1.0\n\ntext 2.0\n\n"


def test_json_on_a_terminal_is_not_drawn_in_place() -> None:
    assert "\x1b[H" not in shown(Shows(), terminal=True, in_place=False)


def test_a_terminal_shows_each_text_in_place_and_is_scrolled_once() -> None:
    room = "\n" * (frames.USUAL_SIZE.lines - 1)
    first, second = "\x1b[Htext 1.0\x1b[K\x1b[J", "\x1b[Htext 2.0\x1b[K\x1b[J"
    assert shown(Shows(), terminal=True) == f"{room}{first}{second}\n"


def test_a_text_that_is_too_long_ends_with_the_number_of_its_other_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "USUAL_SIZE", os.terminal_size((20, 3)))
    text = shown(Shows(lines=5, ends_at=2), terminal=True)
    assert text.endswith("\x1b[Htext 1.0\x1b[K\ntext 1.1\x1b[K\n3 more lines: enlarg\x1b[K\x1b[J\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_later_failure_is_shown_and_tried_again(*, terminal: bool) -> None:
    text = shown(Shows(fails_at=2, ends_at=4), terminal=terminal)
    assert text.index("text 1.0") < text.index("the disk is away") < text.index("text 3.0")


@pytest.mark.parametrize("terminal", [False, True])
def test_the_first_failure_ends_it(*, terminal: bool) -> None:
    with pytest.raises(UnreadableError):
        shown(Shows(fails_at=1), terminal=terminal)


def test_a_new_size_ends_the_pause() -> None:
    with frames._resizes_pending():
        signal.pthread_kill(threading.get_ident(), signal.SIGWINCH)
        frames._pause(20.0)
        # A sleep would have left the signal where it is.
        assert signal.SIGWINCH not in signal.sigpending()
