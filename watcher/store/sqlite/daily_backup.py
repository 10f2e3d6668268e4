"""Make the daily backup in its own thread, so that no commit waits for it."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from sqlalchemy import Connection

from watcher.core.timestamps import to_text
from watcher.store import meta_keys
from watcher.store.epoch import write_fact
from watcher.store.errors import BackupError
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.daemon_thread import DaemonThreadExecutor
from watcher.store.sqlite.database import Database


class DailyBackup:
    """The automatic backups beside one store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._backup_folder = BackupFolder(database.path)

    async def make_due(self, now: datetime) -> str | None:
        """Make a backup if the newest is a day old; return its file.

        Raises:
            BackupError: it cannot be made; the store keeps the reason until a backup succeeds.
        """
        if not self._backup_folder.is_due(now):
            return None
        try:
            # The copy of a large store takes minutes and a stop has seconds: it is cut off as in a crash.
            made = await asyncio.get_running_loop().run_in_executor(
                DaemonThreadExecutor(), self._backup_folder.add, now
            )
        except BackupError as error:
            failure = json.dumps({"at": to_text(now), "problem": str(error)})
            await self._database.write(lambda connection: write_fact(connection, meta_keys.BACKUP_FAILURE, failure))
            raise
        await self._database.write(_note_success)
        return str(made)

    async def prune(self, now: datetime) -> int:
        """Remove backups older than a week; return their number."""
        return len(await asyncio.to_thread(self._backup_folder.prune, now))


def _note_success(connection: Connection) -> None:
    write_fact(connection, meta_keys.BACKUP_FAILURE, None)
