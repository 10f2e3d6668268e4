"""Writes whole lines to a stream in a thread of its own, so that a reader that stands still stops nothing else."""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TextIO

MAX_WAITING_BYTES: Final = 1024 * 1024
"""Lines beyond this are dropped while others wait; a longer line may wait alone."""
EXIT_SECONDS: Final = 1.0
"""The longest wait for the stream at the end of the program."""
TOGETHER_BYTES: Final = select.PIPE_BUF
"""Lines of so many bytes are written at once: a pipe takes them whole or not at all, as it does one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The fate of one line."""

    size: int
    """Its bytes."""
    written: int
    """The bytes that the stream surely took."""
    is_under_way: bool = False
    """Whether the thread still writes it, so that the stream may take more of it."""
    problem: str = ""
    """The reason why it did not take them all."""


@dataclass(slots=True, eq=False)
class _Line:
    data: bytes
    fate: Future[Written] | None = None


class ClosedStreamError(Exception):
    """The stream was closed by this program, so it can never take a line again."""


class LineWriter:
    """Writes lines in their order; ``put`` never waits.

    A stream without a descriptor is in memory and cannot block, so it is written at once.

    Args:
        stream: the stream. Its descriptor is duplicated: it may be closed, and its number used again.
        on_dropped: called in the thread with the number of lost lines, once the stream takes lines again.
    """

    def __init__(self, stream: TextIO, on_dropped: Callable[[int], None] | None = None) -> None:
        self.is_terminal = not stream.closed and stream.isatty()
        self.dropped = 0
        """The number of lines lost since the start."""
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._descriptor = _duplicate(stream)
        self._on_dropped = on_dropped
        self._changed = threading.Condition()
        self._lines: deque[_Line] = deque()
        self._waiting_bytes = 0
        self._unreported = 0
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def put(self, text: str) -> None:
        """Write the text, which ends with a line break; drop it where the stream does not take it."""
        if self._descriptor is None:
            with suppress(OSError, ClosedStreamError):
                self._write_memory(text)
            return
        if self._queue(_Line(self._bytes(text))):
            self._lose(1)

    async def write(self, text: str, patience_seconds: float) -> Written:
        """Write the text and return how far that came; a text that waits longer is taken back.

        Raises:
            ClosedStreamError: the stream is closed.
            OSError: the stream is in memory and failed.
        """
        size = len(self._bytes(text))
        if self._descriptor is None:
            self._write_memory(text)
            return Written(size=size, written=size)
        line = _Line(self._bytes(text), Future())
        if (waiting_bytes := self._queue(line)) or line.fate is None:
            problem = f"{size} bytes do not fit behind {waiting_bytes} bytes that wait for a reader"
            return Written(size=size, written=0, problem=problem)
        done, _ = await asyncio.wait({asyncio.wrap_future(line.fate)}, timeout=patience_seconds)
        if done:
            return line.fate.result()
        return Written(size=size, written=0, is_under_way=not self._take_back(line), problem="nobody reads it")

    def drain(self, seconds: float) -> bool:
        """Wait until every line is written, at most so long; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._is_busy, seconds)

    def _write_memory(self, text: str) -> None:
        try:
            self._stream.write(text.encode(self._encoding, "replace").decode(self._encoding))
            self._stream.flush()
        except OSError:
            raise
        except ValueError as error:
            raise ClosedStreamError from error

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")

    def _queue(self, line: _Line) -> int:
        """Queue a line; return the waiting bytes behind which it does not fit, and 0 where it is queued."""
        with self._changed:
            if self._lines and self._waiting_bytes + len(line.data) > MAX_WAITING_BYTES:
                return self._waiting_bytes
            self._lines.append(line)
            self._waiting_bytes += len(line.data)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="line-writer", daemon=True)
                self._thread.start()
                atexit.register(self.drain, EXIT_SECONDS)
            return 0

    def _take_back(self, line: _Line) -> bool:
        with self._changed:
            if line not in self._lines:
                return False
            self._lines.remove(line)
            self._waiting_bytes -= len(line.data)
            return True

    def _lose(self, lines: int) -> None:
        with self._changed:
            self.dropped += lines
            self._unreported += lines

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._lines))
            # Without a line in hand: a line that waits for the stream can be taken back.
            self._wait_for_room()
            if lines := self._next():
                self._finish(lines)

    def _next(self) -> list[_Line]:
        """Take the next line, with those behind it that are written in the same call; none where it was taken back."""
        with self._changed:
            lines = _together(self._lines)
            for line in lines:
                self._lines.popleft()
                self._waiting_bytes -= len(line.data)
            self._is_busy = bool(lines)
            return lines

    def _wait_for_room(self) -> None:
        assert self._descriptor is not None  # noqa: S101 - for the types
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll()

    def _finish(self, lines: Sequence[_Line]) -> None:
        result = self._write_out(b"".join(line.data for line in lines))
        if (fate := lines[0].fate) is not None:
            fate.set_result(result)
        elif result.problem:
            self._lose(sum(end > result.written for end in accumulate(len(line.data) for line in lines)))
        if not result.problem:
            self._report_dropped()

    def _write_out(self, data: bytes) -> Written:
        assert self._descriptor is not None  # noqa: S101 - for the types
        written = 0
        try:
            while written < len(data):
                try:
                    written += os.write(self._descriptor, data[written:])
                except BlockingIOError:
                    # The other side made the descriptor non-blocking.
                    self._wait_for_room()
        except OSError as error:
            return Written(size=len(data), written=written, problem=os.strerror(error.errno or 0))
        return Written(size=len(data), written=written)

    def _report_dropped(self) -> None:
        with self._changed:
            if self._unreported == 0 or self._waiting_bytes > MAX_WAITING_BYTES // 2:
                return
            lost, self._unreported = self._unreported, 0
        if self._on_dropped is not None:
            self._on_dropped(lost)


def _together(waiting: Iterable[_Line]) -> list[_Line]:
    """Return the first line and the next ones of one write; a line whose caller waits for its fate is alone."""
    lines: list[_Line] = []
    size = 0
    for line in waiting:
        size += len(line.data)
        if lines and (size > TOGETHER_BYTES or line.fate is not None):
            break
        lines.append(line)
        if line.fate is not None:
            break
    return lines


def _duplicate(stream: TextIO) -> int | None:
    try:
        return os.dup(stream.fileno())
    except (OSError, ValueError):
        return None
