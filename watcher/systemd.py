"""What systemd is told, see sd_notify(3): one datagram a message, and none where nobody listens."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Final

import structlog

log = structlog.get_logger()

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"
LONGEST_STATUS: Final = 500
SOONER: Final = 0.1
SOONER_SECONDS: Final = 2.0
"""By how much sooner a hang is to be found than the unit says, at most: room for the start that follows it."""


class Systemd:
    """The service manager, if there is one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        given = environ.get("NOTIFY_SOCKET", "")
        # An abstract socket's name begins with a null byte, which a variable cannot hold.
        self._address = f"\0{given[1:]}" if given.startswith("@") else given
        self._watchdog_microseconds = int(environ.get("WATCHDOG_USEC") or 0)
        self._warned = False

    @property
    def sooner_watchdog(self) -> tuple[str, ...]:
        """What asks for a hang to be found a little sooner, so that ``WatchdogSec`` and ``RestartSec`` hold with it."""
        if not self._watchdog_microseconds:
            return ()
        less = min(self._watchdog_microseconds * SOONER, SOONER_SECONDS * 1_000_000)
        return (f"WATCHDOG_USEC={self._watchdog_microseconds - int(less)}",)

    @property
    def listens(self) -> bool:
        """Whether this process was started with a place to report to."""
        return bool(self._address)

    def notify(self, *lines: str) -> None:
        """Send one message; what cannot be sent is said once in the log and changes nothing else."""
        if not self._address or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._warned:
                self._warned = True
                log.warning("systemd.notify_failed", problem=str(error))


def status(text: str) -> str:
    """Return the line that ``systemctl status`` shows."""
    return "STATUS=" + " ".join(text.split())[:LONGEST_STATUS]


def reloading() -> tuple[str, str]:
    """Return what begins a reload; ``READY`` ends it."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def more_time(seconds: float) -> str:
    """Ask for so much time from now on for the start or the stop."""
    return f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}"
