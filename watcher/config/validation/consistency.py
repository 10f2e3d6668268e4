"""Faults between several parts of the file.

The checks read the parsed file even if it has other faults, so that one fault does not hide another.
Hence each function here accepts any TOML value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from watcher.config.document import HEADERS, Document
from watcher.config.faults import KeyPath, UnplacedFault, nearest, quoted
from watcher.config.models.headers import is_secret_header
from watcher.config.models.settings import AccountSettings, WebhookSettings
from watcher.config.validation.line_numbers import Lines
from watcher.config.validation.route_order import route_problems

Table = Mapping[str, object]

NOT_IN_A_VARIABLE: Final = re.compile(r"[^A-Z0-9_]")


NEEDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "there is no API to poll",
        "watch": "there is nothing to watch",
        "receiver": "there is no one to notify",
    }
)
"""The sections that the daemon needs, each with the reason."""


def inconsistencies(document: Table, lines: Lines, needed: Collection[str] = NEEDED) -> Iterator[UnplacedFault]:
    """Yield every such fault of a parsed file; ``needed`` names the required sections."""
    return chain(
        _absent_sections(document, needed),
        _repeated_watches(document, lines),
        route_problems(list(tables(document.get("route"))), list(tables(document.get("watch"))), lines),
        _headers(document),
        _fallbacks(document),
    )


def tables(value: object) -> Iterator[tuple[int, Table]]:
    """Yield the tables in an array of tables, each with its index; other values have none."""
    if isinstance(value, list):
        yield from ((index, table) for index, table in enumerate(value) if isinstance(table, dict))


def named_tables(value: object) -> Iterator[tuple[str, Table]]:
    """Yield the tables in a table, each with its name; other values have none."""
    if isinstance(value, dict):
        yield from ((name, table) for name, table in value.items() if isinstance(table, dict))


def unnamed_sections(document: Table) -> Iterator[UnplacedFault]:
    """Yield a problem for an ``[account]`` or ``[receiver]`` that holds settings itself."""
    keys_of = {"account": AccountSettings.model_fields, "receiver": WebhookSettings.model_fields}
    for section, keys in keys_of.items():
        table = document.get(section)
        if isinstance(table, dict) and any(_is_setting(key, value, keys) for key, value in table.items()):
            yield UnplacedFault((section,), "has settings without a name above them", f"begin with {HEADERS[section]}")


def _is_setting(key: str, value: object, keys: Iterable[str]) -> bool:
    """Return whether a key is a setting, not a table with the name of one, e.g. ``[account.proxy]``."""
    return key in keys and not (isinstance(value, dict) and value.keys() & set(keys))


def _absent_sections(document: Table, needed: Collection[str]) -> Iterator[UnplacedFault]:
    misspelt = {nearest(key, Document.model_fields) for key in document if key not in Document.model_fields}
    for section in needed:
        # A section of a wrong type has its own report.
        if document.get(section, {}) in ({}, []) and section not in misspelt:
            remedy = f"write {HEADERS[section]}, see config.example.toml"
            yield UnplacedFault((section,), f"is missing: {NEEDED[section]}", remedy)


def _repeated_watches(document: Table, lines: Lines) -> Iterator[UnplacedFault]:
    accounts = [name for name, _ in named_tables(document.get("account"))]
    default = accounts[0] if len(accounts) == 1 else None
    first: dict[tuple[object, ...], KeyPath] = {}
    for index, watch in tables(document.get("watch")):
        path: KeyPath = ("watch", index)
        subject = (watch.get("account") or default, *(watch.get(key) for key in ("service", "type", "version")))
        if not isinstance(watch.get("service"), str) or any(isinstance(part, dict | list) for part in subject):
            continue
        if subject in first:
            line = lines.of(first[subject])
            yield UnplacedFault(path, f"watches the same as line {line}", "take one of the two out")
        first.setdefault(subject, path)


def _fallbacks(document: Table) -> Iterator[UnplacedFault]:
    receivers = dict(named_tables(document.get("receiver")))
    for receiver, table in receivers.items():
        fallback, path = table.get("fallback"), ("receiver", receiver, "fallback")
        if not isinstance(fallback, str):
            continue
        if fallback == receiver:
            yield UnplacedFault(path, "names this receiver itself", "name another receiver, or take it out")
        elif fallback not in receivers:
            others = ", ".join(quoted(name) for name in receivers if name != receiver)
            remedy = f"write one of {others}, or take it out" if others else "add another receiver, or take it out"
            yield UnplacedFault(path, f"{quoted(fallback)} is no receiver", remedy)


def _headers(document: Table) -> Iterator[UnplacedFault]:
    for receiver, table in named_tables(document.get("receiver")):
        headers = table.get("headers")
        if isinstance(headers, dict):
            path: KeyPath = ("receiver", receiver, "headers")
            yield from _exposed(path, headers)
            yield from _repeated(path, headers)


def _exposed(path: KeyPath, headers: Table) -> Iterator[UnplacedFault]:
    for name, value in headers.items():
        if isinstance(value, str) and is_secret_header(name):
            variable = NOT_IN_A_VARIABLE.sub("_", name.upper())
            yield UnplacedFault(
                (*path, name),
                "a secret stands in the file itself",
                f'write {{ env = "{variable}" }} and put the secret there',
            )


def _repeated(path: KeyPath, headers: Table) -> Iterator[UnplacedFault]:
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            yield UnplacedFault((*path, name), "is there twice, in other letters", "keep one of the two")
        seen.add(name.lower())
