"""Stores with the schemas of older versions."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from watcher.store.sqlite.connections import writer_engine


def make_schema(path: Path, revision: str) -> None:
    """Create an empty store with this schema, or upgrade one to it."""
    path.parent.mkdir(exist_ok=True)
    engine = writer_engine(path)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "watcher.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
