"""Which schemas this version knows, and which one a store has, without the libraries that take long to load."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from watcher.store.errors import StoreTooNew, StoreUnusable

READ_TIMEOUT_SECONDS = 5.0


def known_revisions() -> frozenset[str]:
    """Return the schemas that this version knows; the last of them is its own."""
    names = (entry.name for entry in files("watcher.store.migrations.versions").iterdir())
    return frozenset(name.partition("_")[0] for name in names if name.endswith(".py") and name[0].isdigit())


def this_revision() -> str:
    """Return this version's schema."""
    return max(known_revisions())


def check_known(revision: str) -> None:
    """Refuse a schema of a later version.

    Raises:
        StoreTooNew: this version does not know it.
    """
    known = known_revisions()
    if revision not in known:
        raise StoreTooNew(
            f"the store has schema {revision}, this version knows up to {max(known)}; install the version that made it"
        )


def revision_in(path: Path) -> str:
    """Return the schema of a store, read beside whoever holds it.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
        StoreUnusable: it cannot be read.
    """
    address = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=READ_TIMEOUT_SECONDS)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StoreUnusable(f"cannot read {path}: {error}; run aitems-watcher doctor") from error
    if row is None:
        raise StoreUnusable(f"{path} has no schema; start the watcher once, or name the right configuration")
    check_known(row[0])
    return str(row[0])
