"""Faults that only several parts of the file show together.

They are looked for in the file as it was parsed, faulty or not, so that one fault does not hide another.
Hence everything here takes whatever TOML can hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from watcher.config.document import HEADERS, Document
from watcher.config.faults import KeyPath, Problem, nearest
from watcher.config.models.headers import is_secret_header
from watcher.config.models.settings import AccountSettings, WebhookSettings
from watcher.config.validation.line_numbers import Lines
from watcher.config.validation.route_order import route_problems

Table = Mapping[str, object]

NOT_IN_A_VARIABLE: Final = re.compile(r"[^A-Z0-9_]")


NEEDED: Final[Mapping[str, str]] = MappingProxyType(
    {"account": "nobody could be asked", "watch": "nothing would be watched", "receiver": "nobody would be told"}
)
"""Sections that the daemon cannot do without, and why."""


def inconsistencies(document: Table, lines: Lines, needed: Collection[str] = NEEDED) -> Iterator[Problem]:
    """Find every such fault of a parsed file; of the sections only those in ``needed`` must be there."""
    return chain(
        _absent_sections(document, needed),
        _repeated_watches(document, lines),
        route_problems(list(tables(document.get("route"))), list(tables(document.get("watch"))), lines),
        _headers(document),
    )


def tables(value: object) -> Iterator[tuple[int, Table]]:
    """Return the tables in an array of tables, each with its index; of anything else, none."""
    if isinstance(value, list):
        yield from ((index, table) for index, table in enumerate(value) if isinstance(table, dict))


def named_tables(value: object) -> Iterator[tuple[str, Table]]:
    """Return the tables in a table, each with its name; of anything else, none."""
    if isinstance(value, dict):
        yield from ((name, table) for name, table in value.items() if isinstance(table, dict))


def nameless(document: Table) -> Iterator[Problem]:
    """Find ``[account]`` and ``[receiver]`` with settings right below them."""
    keys_of = {"account": AccountSettings.model_fields, "receiver": WebhookSettings.model_fields}
    for section, keys in keys_of.items():
        table = document.get(section)
        if isinstance(table, dict) and any(_is_setting(key, value, keys) for key, value in table.items()):
            yield Problem((section,), "has settings without a name above them", f"begin with {HEADERS[section]}")


def _is_setting(key: str, value: object, keys: Iterable[str]) -> bool:
    """Tell a setting from a table that happens to be named as one, e.g. ``[account.proxy]``."""
    return key in keys and not (isinstance(value, dict) and value.keys() & set(keys))


def _absent_sections(document: Table, needed: Collection[str]) -> Iterator[Problem]:
    misspelt = {nearest(key, Document.model_fields) for key in document if key not in Document.model_fields}
    for section in needed:
        # An empty section of a wrong type is reported as that.
        if document.get(section, {}) in ({}, []) and section not in misspelt:
            remedy = f"write {HEADERS[section]}, see config.example.toml"
            yield Problem((section,), f"is missing: {NEEDED[section]}", remedy)


def _repeated_watches(document: Table, lines: Lines) -> Iterator[Problem]:
    accounts = [name for name, _ in named_tables(document.get("account"))]
    only = accounts[0] if len(accounts) == 1 else None
    first: dict[tuple[object, ...], KeyPath] = {}
    for index, watch in tables(document.get("watch")):
        path: KeyPath = ("watch", index)
        target = (watch.get("account") or only, *(watch.get(key) for key in ("service", "type", "version")))
        if not isinstance(watch.get("service"), str) or any(isinstance(part, dict | list) for part in target):
            continue
        if target in first:
            where = lines.of(first[target])
            yield Problem(path, f"watches the same as line {where}", "take one of the two out")
        first.setdefault(target, path)


def _headers(document: Table) -> Iterator[Problem]:
    for receiver, table in named_tables(document.get("receiver")):
        headers = table.get("headers")
        if isinstance(headers, dict):
            path: KeyPath = ("receiver", receiver, "headers")
            yield from _exposed(path, headers)
            yield from _repeated(path, headers)


def _exposed(path: KeyPath, headers: Table) -> Iterator[Problem]:
    for name, value in headers.items():
        if isinstance(value, str) and is_secret_header(name):
            variable = NOT_IN_A_VARIABLE.sub("_", name.upper())
            yield Problem(
                (*path, name),
                "a secret stands in the file itself",
                f'write {{ env = "{variable}" }} and put the secret there',
            )


def _repeated(path: KeyPath, headers: Table) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            yield Problem((*path, name), "is there twice, in other letters", "keep one of the two")
        seen.add(name.lower())
