"""Find the daemon of a store that was moved or removed: it still holds the lock open, which proc(5) shows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from watcher.store.sqlite.file_names import LOCK, side_file
from watcher.store.sqlite.lock import DAEMON, STORE_NOTED, read_note

PROCESSES: Final = Path("/proc")
DELETED: Final = " (deleted)"
"""The end of an open file's name in proc(5), once the file is removed."""


def daemon_without_store(database: Path) -> int | None:
    """Return the process number of a daemon that opened this store and still holds its lock, wherever that is now.

    Only processes that this user may examine are found: its own ones, and for root all.
    """
    lock, store = side_file(database, LOCK), database.resolve()
    for process in _numbered(PROCESSES):
        files = (file for file in _open_files(process, lock.name) if not _is_same(file, lock))
        if any(_is_held(read_note(file), int(process.name), store) for file in files):
            return int(process.name)
    return None


def _is_held(note: Mapping[str, object], pid: int, store: Path) -> bool:
    noted = note.get(STORE_NOTED)
    if note.get("purpose") != DAEMON or note.get("pid") != pid or not isinstance(noted, str):
        return False
    return Path(noted).resolve() == store


def _is_same(file: Path, lock: Path) -> bool:
    try:
        return file.samefile(lock)
    except OSError:
        return False


def _numbered(processes: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (entry for entry in processes.iterdir() if entry.name.isdecimal())


def _open_files(process: Path, name: str) -> Iterator[Path]:
    """Yield the open files of a process that have, or had, this name; none where the process ends or is private."""
    with suppress(OSError):
        for file in (process / "fd").iterdir():
            with suppress(OSError):
                if os.path.basename(os.readlink(file)).removesuffix(DELETED) == name:  # noqa: PTH115, PTH119 - thousands
                    yield file
