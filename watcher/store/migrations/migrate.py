"""Make the tables of a new store, and migrate an older one to this version's schema.

Alembic is imported only where a store has an older schema: it is slow to load and would keep 11 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from watcher.store import schema
from watcher.store.migrations.schema_version import check_known, this_revision

if TYPE_CHECKING:
    from alembic.config import Config

_version: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The table in which Alembic keeps the schema; a test compares it."""


def revision_of(connection: Connection) -> str | None:
    """Return the store's schema if it differs from this version's; ``None`` when there is nothing to migrate.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
    """
    found = _current(connection)
    if found is not None:
        check_known(found)
    return None if found == this_revision() else found


def upgrade(connection: Connection) -> None:
    """Make the tables or run the missing migrations, in the caller's transaction: all of them or none.

    Raises:
        StoreTooNew: the store has a revision that this version does not know.
    """
    if _current(connection) is None:
        _make(connection)
    elif revision_of(connection) is not None:
        _migrate(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(select(_version.c.version_num))


def _make(connection: Connection) -> None:
    """Make the tables of an empty store at once: all migrations one after the other take ten times as long."""
    schema.metadata.create_all(connection, checkfirst=False)
    _version.create(connection, checkfirst=True)
    connection.execute(insert(_version).values(version_num=this_revision()))


def _migrate(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", "watcher.store:migrations")
    return config
