"""Allow one process per file: a lock that names its holder, and that the kernel releases when the holder dies."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from watcher.core.timestamps import to_text
from watcher.store.errors import StoreInUse, StoreUnusable
from watcher.store.sqlite.file_names import LOCK, side_file
from watcher.store.sqlite.owner import give_to_owner, open_private

if TYPE_CHECKING:
    from datetime import datetime

NOTE_LIMIT: Final = 32_768
"""Enough for the longest path of a store, with each byte escaped in JSON."""
DAEMON: Final = "run"
"""The purpose of a daemon that opens the store."""
STORE_NOTED: Final = "store"
"""The key of the note for the absolute path of the store, as its holder opened it."""
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class FileLock:
    """An advisory lock on ``<database>.lock``, held until ``release`` or the end of the process.

    The file names its holder. A holder that ends in order empties the file, so a note in it is from a process that
    died.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = side_file(database, LOCK)
        self._descriptor: int | None = None
        self._holder: dict[str, object] = {}
        self.left_behind: Mapping[str, object] = NOTHING
        """The note of a holder that died; empty when the last holder ended in order."""

    def acquire(self, purpose: str, now: datetime) -> None:
        """Take the lock.

        Raises:
            StoreInUse: another process has it; the message names its number, purpose and start.
        """
        descriptor = self._open()
        give_to_owner(self._database)
        found = os.pread(descriptor, NOTE_LIMIT, 0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StoreInUse(
                f"{self._path.with_suffix('')} is in use by {_describe(found)}; "
                "stop it first, or give this one another [state] url"
            ) from error
        self._descriptor = descriptor
        self.left_behind = _parse(os.pread(descriptor, NOTE_LIMIT, 0))
        self._holder = {"pid": os.getpid(), "purpose": purpose, "since": to_text(now)}
        self._holder[STORE_NOTED] = str(self._database.absolute())
        # The old note stays until the store is open: a crash before that must not lose it.
        self._write({**self.left_behind, **self._holder})

    def note(self, facts: Mapping[str, object]) -> None:
        """Note facts for the next holder, in case this process dies: the store's epoch, and that it has a log."""
        self._write({**self._holder, **facts})

    def release(self, *, opened: bool = True, in_order: bool = True) -> None:
        """Release the lock; the file stays, since removing it would let two processes lock two files.

        A store that was refused before it was ``opened`` keeps the note of a holder that died: the next start refuses
        it for the same reason. Without ``in_order`` the note of this holder stays, as if it had died.
        """
        if self._descriptor is not None:
            if opened and not in_order:
                os.close(self._descriptor)
                self._descriptor = None
                return
            os.ftruncate(self._descriptor, 0)
            if not opened and self.left_behind:
                self._write(self.left_behind)
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            return open_private(self._path)
        except OSError as error:
            raise StoreUnusable(
                f"cannot open {self._path}: {error.strerror}; check it and the folder's permissions"
            ) from error

    def _write(self, note: Mapping[str, object]) -> None:
        if self._descriptor is None:
            return
        # On a full disk only the note is lost, not the lock.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(dict(note)).encode(), 0)


def running_daemon(database: Path) -> int | None:
    """Return the process number of the daemon that the lock names, if that process lives.

    The lock itself is not tried: a daemon that starts at the same moment would find it taken.
    """
    note = read_note(side_file(database, LOCK))
    pid = note.get("pid")
    return pid if note.get("purpose") == DAEMON and isinstance(pid, int) and _lives(pid) else None


def read_note(lock: Path) -> Mapping[str, object]:
    """Return the note in a lock's file; nothing where it has none or cannot be read."""
    try:
        # Another program's pipe of this name must not block.
        descriptor = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return NOTHING
    try:
        return _parse(os.read(descriptor, NOTE_LIMIT))
    except OSError:
        return NOTHING
    finally:
        os.close(descriptor)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _parse(raw: bytes) -> Mapping[str, object]:
    with suppress(ValueError):
        note = json.loads(raw)
        if isinstance(note, dict):
            return note
    return NOTHING


def _describe(raw: bytes) -> str:
    holder = _parse(raw)
    if {"pid", "purpose", "since"} <= holder.keys():
        return f"process {holder['pid']} ({holder['purpose']}, since {holder['since']})"
    return "another process"
