"""Room on the disk: a file that holds some for the last writes, and how much there is besides."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 4 * 1024 * 1024
"""Enough to settle some thousand deliveries."""
FLOOR_BYTES: Final = 8 * 1024 * 1024
"""With less than this free, nothing new is looked for."""
PRIVATE: Final = 0o600


class Reserve:
    """The file ``<database>.reserve``: given up when a write finds the disk full, so that it can go through."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".reserve")

    @property
    def is_held(self) -> bool:
        """Whether there is something to give up."""
        return self._path.exists()

    def free_bytes(self) -> int:
        """Return how much this user may still write besides the reserve."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def give_up(self) -> bool:
        """Make room; ``False`` where there was none to give."""
        with suppress(FileNotFoundError):
            self._path.unlink()
            return True
        return False

    def hold(self) -> bool:
        """Take the room up again; ``False`` where the disk has not enough."""
        if self.is_held:
            return True
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self.give_up()
            return False
        finally:
            os.close(descriptor)
        return True
