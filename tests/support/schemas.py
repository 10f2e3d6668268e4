"""Stores of older schemas, as the versions that had them made them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from watcher.store.sqlite.connections import writer_engine


def make_schema(path: Path, revision: str) -> None:
    """Make an empty store with this schema, or bring one up to it."""
    path.parent.mkdir(exist_ok=True)
    scheduler = writer_engine(path)
    with scheduler.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "watcher.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    scheduler.dispose()
