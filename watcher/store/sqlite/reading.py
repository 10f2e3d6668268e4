"""Read a store as a user who may not write it: SQLite's write-ahead log needs files that such a user cannot make."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final
from urllib.parse import quote

from watcher.store.sqlite.file_names import INDEX, LOG, SIDE_FILES, side_file
from watcher.store.sqlite.owner import ROOT

USUAL_REMEDY: Final = "run `aitems-watcher run` once, or restore it"


def reading_address(path: Path) -> str:
    """Return the URI that opens the store for reading.

    Without a log nobody has the store open, and the file alone is complete. SQLite would make a log even to read, so a
    user who cannot make one opens the file as one that does not change.
    """
    mode = "mode=ro"
    if not _has_log(path) and not os.access(path.parent, os.W_OK):
        mode += "&immutable=1"
    return f"file:{quote(str(path))}?{mode}"


def reading_remedy(path: Path) -> str:
    """Return the remedy for a store that cannot be read: for its rights where they are the cause."""
    if all(_may_read(side_file(path, suffix)) for suffix in ("", *SIDE_FILES)) and not _lacks_index(path):
        return USUAL_REMEDY
    return f"this user may not open its files: run this as {_owner_of(path)}"


def _has_log(path: Path) -> bool:
    try:
        return side_file(path, LOG).stat().st_size > 0
    except OSError:
        return False


def _lacks_index(path: Path) -> bool:
    """Say whether a log lies there without its index, which this user cannot make."""
    return _has_log(path) and not side_file(path, INDEX).exists() and not os.access(path.parent, os.W_OK)


def _may_read(path: Path) -> bool:
    return not path.exists() or os.access(path, os.R_OK)


def _owner_of(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return name if uid == ROOT else f"{name}, or as root"
