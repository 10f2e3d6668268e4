"""The schemas that this version knows, and the schema of a store, without libraries that take long to load."""

from __future__ import annotations

from importlib.resources import files

from watcher.store.errors import StoreTooNew
from watcher.store.sqlite.revision import read_revision
from watcher.store.url import sqlite_path


def known_revisions() -> frozenset[str]:
    """Return the schemas that this version knows; the highest is its own."""
    names = (entry.name for entry in files("watcher.store.migrations.versions").iterdir())
    return frozenset(name.partition("_")[0] for name in names if name.endswith(".py") and name[0].isdigit())


def this_revision() -> str:
    """Return this version's schema."""
    return max(known_revisions())


def check_known(revision: str) -> None:
    """Refuse the schema of a later version.

    Raises:
        StoreTooNew: this version does not know the schema.
    """
    known = known_revisions()
    if revision not in known:
        raise StoreTooNew(
            f"the store has schema {revision}, this version knows up to {max(known)}; install the version that made it"
        )


def revision_in(url: str) -> str:
    """Return the schema of a store, also while a daemon holds it.

    Raises:
        StoreTooNew: this version does not know the schema.
        StoreUnusable: the store cannot be read.
    """
    revision = read_revision(sqlite_path(url))
    check_known(revision)
    return revision
