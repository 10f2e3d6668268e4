"""The folder of automatic backups beside the store: one a day, kept for a week, named by their time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from watcher.store.errors import BackupError
from watcher.store.sqlite.backup import backup_time, remove_partials, write_backup
from watcher.store.sqlite.disk_reserve import FLOOR_BYTES, RESERVE_BYTES, Reserve
from watcher.store.sqlite.file_names import backups_of
from watcher.store.sqlite.owner import give_to_owner

EVERY: Final = timedelta(days=1)
KEPT: Final = timedelta(days=7)
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class BackupFolder:
    """The automatic backups of one store."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self.folder = backups_of(store)
        self._name = re.compile(rf"{re.escape(store.stem)}-(\d{{8}}T\d{{6}}Z){re.escape(store.suffix)}")

    def backups(self) -> list[tuple[datetime, Path]]:
        """Return the backups with the times of their names, the newest first."""
        if not self.folder.is_dir():
            return []
        found = ((self._name.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted(((_time_of(match[1]), path) for match, path in found if match), reverse=True)

    def is_due(self, now: datetime) -> bool:
        """Say whether the newest backup is a day old, or lies in the future because the clock stepped back."""
        newest = next(iter(self.backups()), None)
        return newest is None or not timedelta() <= now - newest[0] < EVERY

    def add(self, now: datetime) -> Path:
        """Make a backup.

        Raises:
            BackupError: it cannot be made.
        """
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            give_to_owner(self._store)
        except OSError as error:
            raise BackupError(f"cannot make the folder {self.folder}: {error.strerror}") from error
        self._refuse_to_fill_the_disk()
        target = self.folder / f"{self._store.stem}-{now.astimezone(UTC):{_STAMP}}{self._store.suffix}"
        write_backup(self._store, target, now, force=True)
        return target

    def _refuse_to_fill_the_disk(self) -> None:
        needed = self._store.stat().st_size + FLOOR_BYTES + RESERVE_BYTES
        free = Reserve(self._store).free_bytes()
        if free < needed:
            raise BackupError(f"too little space for a backup in {self.folder}: {free:,} bytes free, {needed:,} needed")

    def prune(self, now: datetime) -> list[Path]:
        """Remove backups older than a week, and those with a time in the future; return the removed files.

        The newest backup always stays. Call this only while the wall clock is trusted: a clock that ran ahead gave the
        future times, and such a backup would count as the newest for as long.
        """
        found = self.backups()
        past = [(made_at, path) for made_at, path in found if made_at <= now]
        ahead = [path for made_at, path in found if made_at > now] if past else []
        old = [*ahead, *(path for made_at, path in past[1:] if now - made_at > KEPT)]
        for path in old:
            path.unlink(missing_ok=True)
        if self.folder.is_dir():
            remove_partials(self.folder)
        return old

    def newest_sound(self) -> tuple[datetime, Path] | None:
        """Return the newest sound backup with its time."""
        for _, path in self.backups():
            try:
                return backup_time(path), path
            except BackupError:
                continue
        return None


def _time_of(stamp: str) -> datetime:
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
