"""What ``status`` says of the store itself: whether it was restored, and how its backups fare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watcher.core.timestamps import from_text, to_text

if TYPE_CHECKING:
    from watcher.store.views import Views

BACKUP_LATE: Final = timedelta(days=2)
"""A backup is made each day; two days without one are no coincidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """The store's facts about itself and what lies beside it."""

    at: datetime
    created_at: datetime
    restored_at: datetime | None
    restored_because: str | None
    newest_backup: datetime | None
    backup_failure: str | None
    """Why the latest backup could not be made."""
    set_aside: tuple[str, ...]
    """Files that were replaced and wait for somebody to look at them."""

    @property
    def problems(self) -> list[str]:
        """One line for each thing that is not well."""
        return [*self._restored(), *self._backups()]

    def _restored(self) -> Iterator[str]:
        if self.set_aside:
            when = "" if self.restored_at is None else f" at {to_text(self.restored_at)} ({self.restored_because})"
            files = ", ".join(self.set_aside)
            yield f"the store was restored{when}: look at {files}, then remove it"

    def _backups(self) -> Iterator[str]:
        if self.backup_failure is not None:
            yield f"the latest backup failed: {self.backup_failure}"
        elif self.at - (self.newest_backup or self.created_at) > BACKUP_LATE:
            since = "never" if self.newest_backup is None else f"not since {to_text(self.newest_backup)}"
            yield f"no backup is made: {since}; does the watcher run?"

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "restored_at": None if self.restored_at is None else to_text(self.restored_at),
            "restored_because": self.restored_because,
            "newest_backup": None if self.newest_backup is None else to_text(self.newest_backup),
            "backup_failure": self.backup_failure,
            "set_aside": list(self.set_aside),
        }


def store_health(path: Path, views: Views, now: datetime) -> StoreHealth:
    """Read it from the store and from its folder."""
    from watcher.store.sqlite.backup_folder import BackupFolder
    from watcher.store.sqlite.recovery import set_aside_files

    facts = views.facts()
    newest = next(iter(BackupFolder(path).backups()), None)
    return StoreHealth(
        at=now,
        created_at=from_text(facts["created_at"]),
        restored_at=_moment(facts, "restored_at"),
        restored_because=facts.get("restored_because"),
        newest_backup=None if newest is None else newest[0],
        backup_failure=_failure(facts),
        set_aside=tuple(map(str, set_aside_files(path))),
    )


def _moment(facts: Mapping[str, str], key: str) -> datetime | None:
    return from_text(facts[key]) if key in facts else None


def _failure(facts: Mapping[str, str]) -> str | None:
    from watcher.store.meta_keys import BACKUP_FAILURE

    if BACKUP_FAILURE not in facts:
        return None
    failure = json.loads(facts[BACKUP_FAILURE])
    return f"{failure['problem']} (at {failure['at']})"
