"""Read the facts of a store about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from watcher.core.timestamps import from_text
from watcher.reports.store_health import StoreHealth
from watcher.store.meta_keys import BACKUP_FAILURE
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.file_names import set_aside_files
from watcher.store.views import Views


def store_health(path: Path, views: Views, now: datetime) -> StoreHealth:
    """Read the facts of the store at ``path`` about itself, its backups and the files beside it."""
    facts = views.facts()
    try:
        newest, listed = next(iter(BackupFolder(path).backups()), None), True
    except PermissionError:
        # The folder is private, also where another user may read the store.
        newest, listed = None, False
    return StoreHealth(
        at=now,
        created_at=from_text(facts["created_at"]),
        restored_at=from_text(facts["restored_at"]) if "restored_at" in facts else None,
        restored_because=facts.get("restored_because"),
        newest_backup=None if newest is None else newest[0],
        backups_listed=listed,
        backup_failure=_backup_failure(facts),
        set_aside=tuple(map(str, set_aside_files(path))),
    )


def _backup_failure(facts: Mapping[str, str]) -> str | None:
    if BACKUP_FAILURE not in facts:
        return None
    failure = json.loads(facts[BACKUP_FAILURE])
    return f"{failure['problem']} (at {failure['at']})"
