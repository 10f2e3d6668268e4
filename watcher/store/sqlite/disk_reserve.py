"""Space on the disk of the store: a reserve file for the last writes, and the free space beside it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from watcher.store.sqlite.file_names import LOG, RESERVE, side_file
from watcher.store.sqlite.owner import give_new_file, is_plain, open_private

RESERVE_BYTES: Final = 4 * 1024 * 1024
"""Enough to settle some thousand deliveries."""
FLOOR_BYTES: Final = 8 * 1024 * 1024
"""With less free space than this, polling pauses."""


class Reserve:
    """The file ``<database>.reserve``: removed when a write finds the disk full, so that the write succeeds."""

    def __init__(self, database: Path) -> None:
        self._path = side_file(database, RESERVE)

    @property
    def is_held(self) -> bool:
        """Whether the reserve file exists; a link to another file reserves nothing."""
        try:
            return is_plain(self._path.lstat())
        except OSError:
            return False

    def free_bytes(self) -> int:
        """Return the number of bytes that this user may still write beside the reserve."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def release(self) -> bool:
        """Remove the reserve file; ``False`` when there is none."""
        with suppress(FileNotFoundError):
            self._path.unlink()
            return True
        return False

    def hold(self) -> bool:
        """Make the reserve file again; ``False`` when the disk has too little space."""
        if self.is_held:
            return True
        self.release()
        descriptor = open_private(self._path)
        give_new_file(self._path, beside=self._path)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self.release()
            return False
        finally:
            os.close(descriptor)
        return True


def file_bytes(database: Path) -> int:
    """Return the size of the store's file and its write-ahead log, in bytes."""
    total = 0
    for file in (database, side_file(database, LOG)):
        with suppress(OSError):
            total += file.stat().st_size
    return total
