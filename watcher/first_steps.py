"""The first steps of the process, before anything else is imported: streams, SIGHUP, and modules that go unused."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Final, cast

STREAMS: Final = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""How a closed stream is replaced. Standard output refuses writes as before: its reader gets nothing, and a receiver
that writes to it must notice that. Messages on standard error have no other place and are lost."""


def open_closed_streams() -> None:
    """Give the numbers of closed standard streams to the null device.

    The next file that the program opens would get such a number otherwise, and the store must not be standard output.
    """
    for number, mode in STREAMS:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


class Messages(io.TextIOWrapper):
    """Standard error that loses what it cannot write: a full disk there changes no exit status."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(stream.buffer, stream.encoding, stream.errors, line_buffering=True)
        # The end of the replaced stream would close the buffer.
        self._replaced = stream

    def write(self, text: str, /) -> int:
        """Write a text, or lose it."""
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write the rest, or lose it."""
        with suppress(OSError):
            super().flush()


def lose_messages_quietly() -> None:
    """Let standard error lose what it cannot write, without an error."""
    sys.stderr = Messages(cast("io.TextIOWrapper", sys.stderr))


def skip_plugins() -> None:
    """Let pydantic load no plugin: to look for one, it reads the metadata of every installed package."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@contextmanager
def missing(module: str) -> Iterator[None]:
    """Let imports of a module fail as if it were not installed, unless it is loaded: for a use of it that is optional.

    ``None`` in ``sys.modules`` is Python's own way to say so.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    hidden = module not in modules
    if hidden:
        modules[module] = None
    try:
        yield
    finally:
        if hidden:
            del modules[module]


def hold_hangups() -> None:
    """Let SIGHUP wait: by default it ends the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def take_hangups() -> None:
    """Let a SIGHUP that waited, and every later one, reach its handler."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
