"""A command on a pseudo-terminal, and the rows that a person would see there."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from watcher.core.text_width import width

SECONDS: Final = 60.0
CONTROL: Final = re.compile(r"\x1b\[(?P<letter>[HJK])|\x1b\[[0-9;]*m|\r|\n|(?P<text>[^\x00-\x1f\x7f-\x9f])")
"""All that the command may write: home, clear, colours, line ends, printable text."""
UNFINISHED: Final = re.compile(r"\x1b(\[[0-9;]*)?$")


@dataclass(slots=True)
class Rows:
    """The rows of a terminal."""

    columns: int
    count: int
    rows: list[str] = field(init=False)
    row: int = 0
    at_start: bool = True
    """Whether the next text replaces the row."""
    rest: str = ""
    """The begin of a sequence, whose end is not read yet."""

    def __post_init__(self) -> None:
        self.rows = [""] * self.count

    def feed(self, text: str) -> None:
        """Take what the command has written.

        Raises:
            AssertionError: it is no text, and none of the few sequences that are needed.
        """
        text = self.rest + text
        unfinished = UNFINISHED.search(text)
        self.rest = "" if unfinished is None else unfinished[0]
        text = text.removesuffix(self.rest)
        place = 0
        while place < len(text):
            match = CONTROL.match(text, place)
            assert match is not None, f"not allowed on a terminal: {text[place : place + 20]!r}"
            place = match.end()
            self._take(match)

    def _take(self, match: re.Match[str]) -> None:
        if match["text"]:
            self._write(match["text"])
        elif match["letter"]:
            self._control(match["letter"])
        elif match[0] == "\n":
            self._next_row()
        elif match[0] == "\r":
            self.at_start = True

    def _write(self, character: str) -> None:
        if not self.at_start and width(self.rows[self.row] + character) > self.columns:
            self._next_row()
        line = "" if self.at_start else self.rows[self.row]
        self.at_start = False
        self.rows[self.row] = line + character

    def _control(self, letter: str) -> None:
        if letter == "H":
            self.row, self.at_start = 0, True
        elif letter == "J":
            self.rows[self.row + 1 :] = [""] * (self.count - self.row - 1)
        elif self.at_start:
            self.rows[self.row] = ""

    def _next_row(self) -> None:
        if self.row + 1 < self.count:
            self.row += 1
        else:
            self.rows = [*self.rows[1:], ""]
        self.at_start = True

    @property
    def text(self) -> str:
        """The rows as lines."""
        return "\n".join(row.rstrip() for row in self.rows)


@dataclass(slots=True)
class OnTerminal:
    """A running command with its terminal."""

    process: subprocess.Popen[bytes]
    descriptor: int
    rows: Rows
    written: str = ""
    decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    def until(self, *words: str, absent: Sequence[str] = ()) -> str:
        """Read until the terminal shows every word, and none of the absent ones; return its text."""
        end = time.monotonic() + SECONDS
        while not all(word in self.rows.text for word in words) or any(word in self.rows.text for word in absent):
            assert time.monotonic() < end, f"{words} without {absent} never shown:\n{self.rows.text}"
            assert self._read(), f"ended, without {words}:\n{self.rows.text}"
        return self.rows.text

    def resize(self, columns: int, count: int) -> None:
        """Give the terminal another size, as a person does with a window; its rows are empty then."""
        while select.select([self.descriptor], [], [], 0)[0] and self._read():
            pass
        self.rows = Rows(columns, count)
        set_size(self.descriptor, columns, count)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.descriptor, keys)

    def end(self) -> int:
        """Read until the command has ended; return its exit status."""
        while self._read():
            pass
        return self.process.wait(timeout=SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], 1.0)
        if not ready:
            return self.process.poll() is None
        try:
            chunk = os.read(self.descriptor, 65536)
        except OSError:
            # Linux raises this after the other side has closed.
            return False
        text = self.decoder.decode(chunk)
        self.written += text
        self.rows.feed(text)
        return bool(chunk)


def set_size(descriptor: int, columns: int, count: int) -> None:
    """Set the size of a terminal; the kernel sends SIGWINCH to the command in its foreground."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", count, columns, 0, 0))


@contextmanager
def on_terminal(
    command: Sequence[str], env: Mapping[str, str], columns: int = 100, count: int = 50
) -> Iterator[OnTerminal]:
    """Run a command on a terminal of its own during the block, so that Ctrl-C and a change of its size reach it."""
    ours, theirs = pty.openpty()
    set_size(ours, columns, count)
    with subprocess.Popen(  # noqa: S603 - our own command
        ["/usr/bin/setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=dict(env)
    ) as process:
        os.close(theirs)
        try:
            yield OnTerminal(process, ours, Rows(columns, count))
        finally:
            process.kill()
            os.close(ours)
