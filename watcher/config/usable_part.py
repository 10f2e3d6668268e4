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
from watcher.config.faults import ConfigError, KeyPath
from watcher.config.models.settings import Config
from watcher.config.reader import checked, config_of, load, normalised, read
from watcher.config.validation.line_numbers import Lines
from watcher.config.validation.syntax import syntax_problem

HEADER: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)
ROUNDS: Final = 20
"""Each round takes out what the one before found; a route without its receiver is found in the next."""


def load_usable(path: Path) -> tuple[Config, ConfigError | None]:
    """Return the configuration, or its usable part together with its faults; resolve no secret."""
    try:
        return load(path), None
    except ConfigError as error:
        return _usable(path), error


def _usable(path: Path) -> Config:
    try:
        text = normalised(read(path))
    except ConfigError:
        text = ""
    tables = dict(_parsed(text))
    for _ in range(ROUNDS):
        found = checked(tables, _folder(path), Lines(text), ())
        if isinstance(found, Document):
            return config_of(path, found)
        tables = _without(tables, [problem.path for problem in found])
    return config_of(path, Document())


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
    line = syntax_problem(str(error), "".join(pieces)).line
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
    section = str(path[0])
    inner = tables.get(section)
    if len(path) == 1 or not isinstance(inner, dict | list):
        tables.pop(section, None)
        return
    key = path[1]
    if isinstance(inner, dict):
        inner.pop(str(key), None)
    elif isinstance(key, int) and key < len(inner):
        inner.pop(key)
