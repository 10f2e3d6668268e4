"""The health of the store itself: whether it was restored, and the state of its backups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.health.problems import Problem, ProblemCode
from watcher.core.timestamps import to_text

BACKUP_LATE: Final = timedelta(days=2)
"""The watcher makes a backup each day; after two days without one, something is wrong."""

ASKED_FOR: Final = "asked-for"
"""The reason of a restore by the command ``restore``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """Facts about the store, its backups and the files beside it."""

    at: datetime
    created_at: datetime
    restored_at: datetime | None
    restored_because: str | None
    newest_backup: datetime | None
    """``None`` without a backup, or where this user may not list them."""
    backups_listed: bool = True
    """Whether this user may list the backups."""
    backup_failure: str | None
    """The reason why the latest backup failed."""
    set_aside: tuple[str, ...]
    """Files that a restore replaced and kept for an inspection."""

    @property
    def problems(self) -> list[Problem]:
        """The problems of the store and its backups."""
        return [*self._restore_problems(), *self._backup_problems()]

    def _restore_problems(self) -> Iterator[Problem]:
        # A restore that an operator asked for is no surprise; its old file may stay.
        if self.set_aside and self.restored_because != ASKED_FOR:
            when = "" if self.restored_at is None else f" at {to_text(self.restored_at)} ({self.restored_because})"
            files = ", ".join(self.set_aside)
            text = f"the store was restored{when}: inspect {files}, then remove it"
            yield Problem(code=ProblemCode.STORE_RESTORED, text=text)

    def _backup_problems(self) -> Iterator[Problem]:
        if self.backup_failure is not None:
            text = f"the latest backup failed: {self.backup_failure}"
            yield Problem(code=ProblemCode.BACKUP_MISSING, text=text)
        elif self.backups_listed and self.at - (self.newest_backup or self.created_at) > BACKUP_LATE:
            latest = (
                "there is none" if self.newest_backup is None else f"the latest is of {to_text(self.newest_backup)}"
            )
            text = f"the daily backup is missing: {latest}"
            yield Problem(code=ProblemCode.BACKUP_MISSING, text=text)

    def as_json(self) -> dict[str, object]:
        """Return the facts for programs."""
        return {
            "restored_at": None if self.restored_at is None else to_text(self.restored_at),
            "restored_because": self.restored_because,
            "newest_backup": None if self.newest_backup is None else to_text(self.newest_backup),
            "backup_failure": self.backup_failure,
            "set_aside": list(self.set_aside),
        }
