"""Bringing a store to this version's schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from watcher.store.engines import reader_engine
from watcher.store.errors import StoreTooNew


def revision_of(connection: Connection) -> str | None:
    """Return the store's schema where it is not this version's; ``None`` when there is nothing to migrate.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    known = known_revisions()
    if found is not None and found not in known:
        raise StoreTooNew(
            f"the store has schema {found}, this version knows up to {max(known)}; install the version that made it"
        )
    return None if found == max(known) else found


def this_revision() -> str:
    """Return this version's schema."""
    return max(known_revisions())


def revision_in(path: Path) -> str | None:
    """Return the schema of a store, read beside whoever holds it.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
    """
    engine = reader_engine(path)
    try:
        with engine.begin() as connection:
            return revision_of(connection) or this_revision()
    finally:
        engine.dispose()


def known_revisions() -> frozenset[str]:
    """Return the schemas that this version knows; the last of them is its own."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction: all of it or nothing.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
    """
    old = revision_of(connection)
    if old is not None or MigrationContext.configure(connection).get_current_revision() is None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "watcher.store:migrations")
    return config
