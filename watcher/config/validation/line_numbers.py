"""Find the line of each key in a TOML text, which ``tomllib`` does not report.

One pass over the tokens of the text notes headers, keys, brackets and commas.
It accepts any text and never raises; ``tomllib`` checks the syntax.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from watcher.config.faults import KeyPath

_TOKEN: Final = re.compile(
    r"""
      (?P<newline>\n)
    | (?P<skipped>[ \t\r]+ | \#[^\n]*)
    | (?P<word>
          \"{3} (?:[^\\]|\\.)*? \"{3,5}    # text over several lines
        | '{3} .*? '{3,5}
        | \" (?:[^\"\\\n]|\\.)* \"
        | ' [^'\n]* '
        | [^\s\"'\#\[\]{},=.]+             # a bare key, a number, a date, true or false
      )
    | (?P<mark>[\[\]{},=])
    | (?P<other>.)                         # a dot, or a character that TOML does not have
    """,
    re.VERBOSE | re.DOTALL,
)


DEEPEST: Final = 100
"""The depth of brackets, or the number of parts of a key, at which the pass ends: no settings are that deep."""


class Lines:
    """The lines of one text, found at the first use."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def all(self) -> Mapping[KeyPath, int]:
        """Every table, key and array element with its line, counted from 1."""
        walk = _Walk()
        for kind, token, line in _tokens(self._text):
            if walk.depth > DEEPEST:
                break
            walk.consume(kind, token, line)
        return walk.lines

    def of(self, path: KeyPath) -> int | None:
        """Return the line of ``path``, or of the nearest table around it, or ``None``."""
        for length in range(len(path), 0, -1):
            line = self.all.get(path[:length])
            if line is not None:
                return line
        return None


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        yield match.lastgroup or "other", token, line
        line += token.count("\n")


@dataclass(slots=True)
class _Open:
    """An array or an inline table that is not closed yet."""

    path: KeyPath
    index: int | None
    """The current element of an array; ``None`` for an inline table."""


class _Walk:
    """One pass over the tokens."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._tables_of: dict[KeyPath, int] = {}
        """The number of tables in each array of tables so far."""
        self._table: KeyPath = ()
        self._open: list[_Open] = []
        self._key: list[str] = []
        self._key_line = 0
        self._value: KeyPath | None = None
        """The path of the value that comes next; ``None`` where a key or nothing is expected."""
        self._header_brackets = 0

    @property
    def depth(self) -> int:
        """The number of open brackets, or of parts of the current key, whichever is larger."""
        return max(len(self._open), len(self._key))

    def consume(self, kind: str, token: str, line: int) -> None:
        """Process one token."""
        if kind == "word":
            self._word(token, line)
        elif kind == "mark":
            self._mark(token, line)
        elif kind == "newline" and not self._open:
            self._reset_key()

    def _word(self, token: str, line: int) -> None:
        if self._value is not None:
            self.lines.setdefault(self._value, line)
            self._value = None
            return
        if not self._key:
            self._key_line = line
        self._key.append(_key_name(token))

    def _mark(self, token: str, line: int) -> None:
        match token:
            case "=":
                self._key_ends()
            case "[":
                self._bracket_opens(line)
            case "]":
                self._bracket_closes(line)
            case "{":
                self._brace_opens(line)
            case "}":
                self._brace_closes()
            case _:
                self._comma()

    def _key_ends(self) -> None:
        if self._value is not None or not self._key:
            return
        parent = self._open[-1].path if self._open else self._table
        path = (*parent, *self._key)
        self._note(path, self._key_line, above=len(parent))
        self._value, self._key = path, []

    def _bracket_opens(self, line: int) -> None:
        if self._value is not None:
            self.lines.setdefault(self._value, line)
            self._open.append(_Open(self._value, 0))
            self._value = (*self._value, 0)
        elif not self._open and not self._key:
            self._header_brackets += 1

    def _bracket_closes(self, line: int) -> None:
        if self._open:
            self._close(array=True)
        elif self._header_brackets and self._key:
            self._header_ends(line)

    def _header_ends(self, line: int) -> None:
        path = self._path_of_header()
        if self._header_brackets > 1:
            index = self._tables_of.get(path, 0)
            self._tables_of[path] = index + 1
            self.lines.setdefault(path, line)
            path = (*path, index)
        self._note(path, line, above=0)
        self._table = path
        self._reset_key()

    def _path_of_header(self) -> KeyPath:
        path: KeyPath = ()
        for part in self._key[:-1]:
            path = (*path, part)
            if path in self._tables_of:
                path = (*path, self._tables_of[path] - 1)
        return (*path, self._key[-1])

    def _brace_opens(self, line: int) -> None:
        if self._value is not None:
            self.lines.setdefault(self._value, line)
            self._open.append(_Open(self._value, None))
            self._reset_key()

    def _brace_closes(self) -> None:
        self._close(array=False)

    def _close(self, *, array: bool) -> None:
        if self._open and (self._open[-1].index is not None) == array:
            self._open.pop()
            self._reset_key()

    def _comma(self) -> None:
        self._reset_key()
        if self._open:
            current = self._open[-1]
            if current.index is not None:
                current.index += 1
                self._value = (*current.path, current.index)

    def _note(self, path: KeyPath, line: int, *, above: int) -> None:
        for length in range(above + 1, len(path)):
            self.lines.setdefault(path[:length], line)
        self.lines[path] = line

    def _reset_key(self) -> None:
        self._key = []
        self._value = None
        self._header_brackets = 0


def _key_name(token: str) -> str:
    if token.startswith('"') and "\\" in token:
        return _unescaped(token)
    if token.startswith(("'", '"')):
        return token[1:-1]
    return token


def _unescaped(token: str) -> str:
    try:
        return str(tomllib.loads(f"key = {token}")["key"])
    except ValueError:
        return token[1:-1]
