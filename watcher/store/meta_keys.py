"""Keys of the table ``meta``, the store's facts about itself, for readers that load no database library."""

from __future__ import annotations

from typing import Final

EPOCH: Final = "epoch"
CREATED_AT: Final = "created_at"
RESTORED_AT: Final = "restored_at"
RESTORED_BECAUSE: Final = "restored_because"
RESTORED_FROM: Final = "restored_from"
"""The time of the backup that the store was restored from."""
PROBED_AT: Final = "probed_at"
"""The time of the latest write that only tried whether the store can be written."""
BACKUP_MADE_AT: Final = "backup_made_at"
"""Distinguishes a backup from a store."""
BACKUP_FAILURE: Final = "backup_failure"
"""The reason why the latest backup failed."""
