"""Migrate a store to this version's schema."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from watcher.store.schema_version import check_known, this_revision


def revision_of(connection: Connection) -> str | None:
    """Return the store's schema if it differs from this version's; ``None`` when there is nothing to migrate.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None:
        check_known(found)
    return None if found == this_revision() else found


def upgrade(connection: Connection) -> None:
    """Run the missing migrations in the caller's transaction: all of them or none.

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
