"""Compare two configurations and name the differences by their keys in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final

from watcher.config.faults import key_text
from watcher.config.models.base import Settings
from watcher.config.models.settings import Config, WatchSettings

NAMED: Final = {"accounts": "account", "receivers": "receiver"}
"""Fields that hold tables with a name, and the name of the table in the file."""
SINGLE: Final = ("delivery", "incident")
RELOADABLE: Final = frozenset({*NAMED, *SINGLE, "watches", "routes"})
"""Fields that a reload applies; the others need a restart."""


def changes(old: Config, new: Config) -> tuple[str, ...]:
    """Return a line for each change that a reload applies."""
    lines: list[str] = []
    for field, table in NAMED.items():
        before, after = getattr(old, field), getattr(new, field)
        lines += _named_changes(_keyed(table, before), _keyed(table, after))
    lines += _named_changes(_by_name(old.watches), _by_name(new.watches))
    if old.routes != new.routes:
        lines.append("route: changed")
    for table in SINGLE:
        lines += _changed_keys(table, getattr(old, table), getattr(new, table))
    lines += _changed_keys("state", old.state, new.state, only=frozenset({"keep_history"}))
    return tuple(lines)


def restarts(old: Config, new: Config) -> tuple[str, ...]:
    """Return the keys or tables whose change needs a restart."""
    state = ["state.url"] if old.state.url != new.state.url else []
    others = {field.name for field in fields(Config)} - RELOADABLE - {"path", "state"}
    return (*state, *sorted(name for name in others if getattr(old, name) != getattr(new, name)))


def _keyed(table: str, tables: Mapping[str, object]) -> dict[str, object]:
    return {key_text((table, name)): settings for name, settings in tables.items()}


def _by_name(watches: Iterable[WatchSettings]) -> dict[str, list[WatchSettings]]:
    named: dict[str, list[WatchSettings]] = {}
    for watch in watches:
        parts = ("watch", watch.account, watch.service, watch.type, watch.version)
        named.setdefault(" ".join(part for part in parts if part is not None), []).append(watch)
    return named


def _named_changes(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    changed = dict.fromkeys((name for name in new if name not in old), "added")
    changed |= dict.fromkeys((name for name in old if name not in new), "removed")
    changed |= {name: "changed" for name in old if name in new and old[name] != new[name]}
    return [f"{name}: {word}" for name, word in changed.items()]


def _changed_keys(table: str, old: Settings, new: Settings, only: frozenset[str] | None = None) -> list[str]:
    names = [name for name in type(old).model_fields if only is None or name in only]
    return [f"{table}.{name}: changed" for name in names if getattr(old, name) != getattr(new, name)]
