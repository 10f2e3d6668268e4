"""What differs between two configurations, in the words of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final

from watcher.config.faults import key_text
from watcher.config.models.base import Settings
from watcher.config.models.settings import Config, WatchSettings

NAMED: Final = {"accounts": "account", "receivers": "receiver"}
"""Tables with a name each, by their field."""
SINGLE: Final = ("delivery", "incident")
TAKEN_OVER: Final = frozenset({*NAMED, *SINGLE, "watches", "routes"})
"""Fields that a running daemon takes over; the others need a restart."""


def changes(old: Config, new: Config) -> tuple[str, ...]:
    """Return a line for everything that a reload takes over."""
    found: list[str] = []
    for field, table in NAMED.items():
        before, after = getattr(old, field), getattr(new, field)
        found += _named(_keyed(table, before), _keyed(table, after))
    found += _named(_by_name(old.watches), _by_name(new.watches))
    if old.routes != new.routes:
        found.append("route: changed")
    for table in SINGLE:
        found += _keys(table, getattr(old, table), getattr(new, table))
    found += _keys("state", old.state, new.state, only=frozenset({"keep_history"}))
    return tuple(found)


def restarts(old: Config, new: Config) -> tuple[str, ...]:
    """Return the keys or tables whose change needs a restart."""
    found = ["state.url"] if old.state.url != new.state.url else []
    rest = {field.name for field in fields(Config)} - TAKEN_OVER - {"path", "state"}
    return (*found, *sorted(name for name in rest if getattr(old, name) != getattr(new, name)))


def _keyed(table: str, tables: Mapping[str, object]) -> dict[str, object]:
    return {key_text((table, name)): settings for name, settings in tables.items()}


def _by_name(watches: Iterable[WatchSettings]) -> dict[str, list[WatchSettings]]:
    named: dict[str, list[WatchSettings]] = {}
    for watch in watches:
        parts = ("watch", watch.account, watch.service, watch.type, watch.version)
        named.setdefault(" ".join(part for part in parts if part is not None), []).append(watch)
    return named


def _named(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    words = dict.fromkeys((name for name in new if name not in old), "added")
    words |= dict.fromkeys((name for name in old if name not in new), "removed")
    words |= {name: "changed" for name in old if name in new and old[name] != new[name]}
    return [f"{name}: {word}" for name, word in words.items()]


def _keys(table: str, old: Settings, new: Settings, only: frozenset[str] | None = None) -> list[str]:
    names = [name for name in type(old).model_fields if only is None or name in only]
    return [f"{table}.{name}: changed" for name in names if getattr(old, name) != getattr(new, name)]
