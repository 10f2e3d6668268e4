"""Stores with the schemas of older versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from alembic import command
from alembic.config import Config

from watcher.store.sqlite.connections import writer_engine

TABLES: Final[Mapping[str, str]] = MappingProxyType({"look": "poll", "drift": "deviation"})
COLUMNS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("training", "words_told"): "announced_statuses",
        ("drift", "oddity"): "description",
        ("drift", "look"): "poll",
        ("receiver", "broken_since"): "failing_since",
    }
)
"""The present names of tables and columns that a migration has renamed, by the old table and column."""


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
