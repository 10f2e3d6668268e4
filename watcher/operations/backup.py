"""Back the store up on request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from watcher.operations.ports import WriteBackup


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """A request to write a backup."""

    target: Path
    force: bool = False
    """Whether to overwrite an existing file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """A backup that was written and checked."""

    target: Path
    size_bytes: int


def back_up(write_backup: WriteBackup, request: BackupRequest, now: datetime) -> BackupResult:
    """Write a checked copy of the store; a running daemon may go on writing meanwhile.

    Raises:
        BackupError: the target exists, or the copy cannot be made.
    """
    write_backup(request.target, now, force=request.force)
    return BackupResult(target=request.target, size_bytes=request.target.stat().st_size)
