"""Messages to systemd, see sd_notify(3): one datagram each, and none without systemd."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Mapping
from typing import Final

import structlog

log = structlog.get_logger()

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"
MAX_STATUS_LENGTH: Final = 500
WATCHDOG_MARGIN: Final = 0.1
"""The share of ``WatchdogSec`` by which the watchdog time is shortened."""
MAX_WATCHDOG_MARGIN_SECONDS: Final = 2.0


class Systemd:
    """The connection to the service manager; without one, nothing is sent."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        given = environ.get("NOTIFY_SOCKET", "")
        # An abstract socket's name begins with a null byte, which a variable cannot hold.
        self._address = f"\0{given[1:]}" if given.startswith("@") else given
        self._watchdog_microseconds = int(environ.get("WATCHDOG_USEC") or 0)
        self._warned = False

    @property
    def shortened_watchdog(self) -> tuple[str, ...]:
        """The message that shortens the watchdog time, or nothing without a watchdog.

        systemd then finds a hang early enough for the restart to end within ``WatchdogSec`` and ``RestartSec``.
        """
        if not self._watchdog_microseconds:
            return ()
        margin = min(self._watchdog_microseconds * WATCHDOG_MARGIN, MAX_WATCHDOG_MARGIN_SECONDS * 1_000_000)
        return (f"WATCHDOG_USEC={self._watchdog_microseconds - int(margin)}",)

    @property
    def watchdog_seconds(self) -> float:
        """The watchdog time; infinite without a watchdog."""
        return self._watchdog_microseconds / 1_000_000 or math.inf

    @property
    def enabled(self) -> bool:
        """Whether systemd gave this process a socket for notifications."""
        return bool(self._address)

    def notify(self, *lines: str) -> None:
        """Send one message; the first failure is logged, and no failure is raised."""
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
    """Return the message that sets the status line of ``systemctl status``."""
    return "STATUS=" + " ".join(text.split())[:MAX_STATUS_LENGTH]


def reloading() -> tuple[str, str]:
    """Return the message that a reload begins; ``READY`` ends it."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def extend_timeout(seconds: float) -> str:
    """Return the message that asks for this much time from now on, for the start or the stop."""
    return f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}"
