"""One daemon a file: a lock that names its holder and that the kernel drops when the holder dies."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.core.moment import to_text
from watcher.store.errors import StoreInUse, StoreUnusable

if TYPE_CHECKING:
    from datetime import datetime


class FileLock:
    """An advisory lock on ``<database>.lock``, held until ``release`` or the end of the process."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self, purpose: str, now: datetime) -> None:
        """Take the lock or raise ``StoreInUse`` with the holder's process number, purpose and start."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _describe(os.read(descriptor, 4096))
            os.close(descriptor)
            raise StoreInUse(
                f"{self._path.with_suffix('')} is in use by {holder}; "
                "stop it first, or give this one another [state] url"
            ) from error
        self._descriptor = descriptor
        _write_holder(descriptor, purpose, now)

    def release(self) -> None:
        """Drop the lock; the file stays, since removing it would let two processes lock two files."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(
                f"cannot open {self._path}: {error.strerror}; check the folder's permissions"
            ) from error


def _write_holder(descriptor: int, purpose: str, now: datetime) -> None:
    holder = {"pid": os.getpid(), "purpose": purpose, "since": to_text(now)}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _describe(raw: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        holder = json.loads(raw)
        return f"process {holder['pid']} ({holder['purpose']}, since {holder['since']})"
    return "another process"
