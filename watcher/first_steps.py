"""The first steps of the process, before anything else is imported: the standard streams and SIGHUP."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

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


def hold_hangups() -> None:
    """Let SIGHUP wait: by default it ends the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def take_hangups() -> None:
    """Let a SIGHUP that waited, and every later one, reach its handler."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
