"""The errors of the store.

StoreError
├── StoreInUse        another process holds the file
├── StoreUnusable     the file is another program's, or cannot be opened
│   ├── StoreDamaged  the file was a store, and is broken or an older state
│   └── StoreLost     the file is gone, and its daemon still runs
├── StoreTooNew       a later version of the watcher made it
├── BackupError       a backup cannot be made, or a file is no backup
└── StaleSnapshot     a row has changed since it was read: a bug, or a second writer
"""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """The store cannot be used; the message gives the reason and a remedy."""


class StoreInUse(StoreError):  # noqa: N818 - the name says the state, as in the tree above
    """Another process holds the file."""


class StoreUnusable(StoreError):  # noqa: N818 - as above
    """The file cannot be used as a store."""


class StoreDamaged(StoreUnusable):
    """The file is broken; the newest automatic backup may take its place."""


class StoreLost(StoreUnusable):
    """The file is no longer at its place, and its daemon still runs."""

    def __init__(self, database: Path, pid: int) -> None:
        self.problem = f"process {pid}, the daemon of this store, runs without it: {database} was moved or removed"
        self.remedy = "put the file or its folder back, or stop the daemon and restore a backup"
        super().__init__(f"{self.problem}; {self.remedy}")


class StoreTooNew(StoreError):  # noqa: N818 - as above
    """The file was written by a later version."""


class BackupError(StoreError):
    """A backup cannot be made, or a file is no backup."""


class StaleSnapshot(StoreError):  # noqa: N818 - as above
    """A snapshot has changed since it was read."""
