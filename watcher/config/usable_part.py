"""Read what is usable of a faulty configuration, for commands that read the store of a daemon which still runs.

The daemon keeps its old configuration while the file on the disk is faulty. Such a command must not end for that.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

from watcher.config.document import Document
from watcher.config.faults import ConfigError, ConfigFault, KeyPath
from watcher.config.models.settings import Config
from watcher.config.reader import checked, config_of, load, normalised, read_bytes
from watcher.config.validation.line_numbers import Lines
from watcher.config.validation.syntax import line_of

HEADER: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)
STATE: Final = re.compile(r"""^[ \t]*(?:\[[ \t]*)?["']?state\b""", re.MULTILINE)
"""The header of the table that names the store, or a key with its name."""
LABELS: Final = re.compile(r"""[ \t]*\[.*\blabels["' \t]*\]""")
"""The header of a table whose keys may have any name."""
UNDECODED: Final = "\ufffd"
"""Stands for bytes that are not UTF-8."""
ROUNDS: Final = 20
"""Each round takes out what the one before found; a route without its receiver is found in the next."""


def load_usable(path: Path) -> tuple[Config, ConfigError | None]:
    """Return the configuration, or its usable part together with its faults; resolve no secret.

    Raises:
        ConfigError: the fault is in the table ``state``, so that nobody can say which store the daemon has.
    """
    try:
        return load(path), None
    except ConfigError as error:
        return _usable(path, error), error


def _usable(path: Path, error: ConfigError) -> Config:
    text = _text(path)
    tables = dict(_parsed(text))
    if UNDECODED in str(tables.get("state")) or (UNDECODED in text and "\0" in text):
        # The second is text in UTF-16: its tables are not found.
        raise _store_unknown(path, error)
    if "state" not in tables and any(STATE.search(piece) for piece in _pieces(text) if not LABELS.match(piece)):
        raise _store_unknown(path, error)
    for _ in range(ROUNDS):
        found = checked(tables, _folder(path), Lines(text), ())
        if isinstance(found, Document):
            return config_of(path, found)
        faults = [problem.path for problem in found]
        if any(fault in {("state",), ("state", "url")} for fault in faults):
            raise _store_unknown(path, error)
        tables = _without(tables, faults)
    found = checked({"state": tables.get("state", {})}, _folder(path), Lines(text), ())
    return config_of(path, found if isinstance(found, Document) else Document())


def _text(path: Path) -> str:
    """Return the text of a file; what is not UTF-8 may be a comment only."""
    try:
        return normalised(read_bytes(path).decode(errors="replace"))
    except ConfigError:
        return ""


def _store_unknown(path: Path, error: ConfigError) -> ConfigError:
    """Return the faults and their consequence: the default store may be that of another daemon."""
    unknown = ConfigFault(
        file=path,
        line=None,
        key="state.url",
        problem="cannot be read, so the store of the running daemon is not known",
        remedy="correct the faults of [state] first",
    )
    return ConfigError([*error.faults, unknown])


def _folder(path: Path) -> Path:
    try:
        return path.parent.absolute()
    except FileNotFoundError:
        # The current folder was removed.
        return path.parent


def _parsed(text: str) -> Mapping[str, object]:
    """Parse the text without those of its tables that are no TOML.

    After the short parses of single pieces, each table that contradicts one above it costs a parse of the whole.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        # A list that is not closed swallows the tables below it; alone, only its own piece fails.
        pieces = [piece for piece in _pieces(text) if _is_toml(piece)]
    while True:
        try:
            return tomllib.loads("".join(pieces))
        except ValueError as error:
            del pieces[_piece_of(error, pieces)]


def _is_toml(piece: str) -> bool:
    try:
        tomllib.loads(piece)
    except (ValueError, RecursionError):
        return False
    return True


def _piece_of(error: ValueError, pieces: Sequence[str]) -> int:
    """Return the index of the piece that contains the line of this error."""
    line = line_of(str(error), "".join(pieces))
    last_lines = accumulate(piece.count("\n") for piece in pieces)
    return next((index for index, last in enumerate(last_lines) if line <= last), -1)


def _pieces(text: str) -> Iterator[str]:
    """Cut a text before each line that begins with a bracket."""
    starts = [0, *(match.start() for match in HEADER.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        piece = text[start:end]
        yield piece if piece.endswith("\n") else f"{piece}\n"


def _without(tables: Mapping[str, object], faults: Sequence[KeyPath]) -> dict[str, object]:
    """Return a copy without the watches, routes, receivers and accounts that have faults, or without single keys."""
    left = {name: _copy(value) for name, value in tables.items()}
    # From the end: removing one element moves those after it.
    for path in sorted(faults, key=_order, reverse=True):
        _remove(left, path)
    return left


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value


def _order(path: KeyPath) -> tuple[str, int]:
    index = path[1] if len(path) > 1 else -1
    return str(path[0]), index if isinstance(index, int) else -1


def _remove(tables: dict[str, object], path: KeyPath) -> None:
    section, key = str(path[0]), path[1] if len(path) > 1 else None
    inner = tables.get(section)
    if isinstance(inner, dict) and key in inner:
        inner.pop(str(key))
    elif isinstance(inner, list) and isinstance(key, int) and key < len(inner):
        inner.pop(key)
    else:
        # The fault is the section's own, or that a key is missing there.
        tables.pop(section, None)
