"""Output: coloured tables on a terminal, aligned plain text in a pipe.

Texts from outside pass through ``cell``, which removes control characters, so that they cannot control a terminal.
JSON keeps such texts unchanged and escapes every character outside ASCII.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from watcher.core.messages.training import one_line

if TYPE_CHECKING:
    from rich.console import Console

CELL_LIMIT: Final = 300
"""The most characters of one text from outside."""
LINE_LIMIT: Final = 2_000
GAP: Final = "  "

GOOD: Final = "green"
BAD: Final = "bold red"
WARN: Final = "yellow"
BUSY: Final = "blue"
FAINT: Final = "dim"
HEADING: Final = "bold"


@dataclass(frozen=True, slots=True)
class Cell:
    """A printable text, and its style on a terminal."""

    text: str
    style: str = ""


def cell(text: object, style: str = "") -> Cell:
    """Return a printable text: one line without control characters."""
    return Cell(one_line(str(text), CELL_LIMIT), style)


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and its rows."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


class Screen:
    """Writes to one stream, for a terminal or as plain text."""

    def __init__(self, stream: TextIO, *, terminal: bool, colour: bool) -> None:
        self.stream = stream
        self._console = _console(stream, colour=colour) if terminal else None

    def line(self, *cells: Cell | str) -> None:
        """Write one line made of cells."""
        parts = [Cell(part) if isinstance(part, str) else part for part in cells]
        if self._console is None:
            self.stream.write("".join(part.text for part in parts).rstrip() + "\n")
            return
        from rich.text import Text

        text = Text.assemble(*((part.text, part.style) for part in parts))
        self._console.print(text, soft_wrap=True)

    def table(self, table: Table) -> None:
        """Write a table without its empty columns."""
        shown = _without_empty_columns(table)
        if self._console is None:
            self.stream.writelines(f"{line}\n" for line in plain_lines(shown))
        else:
            _print_rich(self._console, shown)

    def json(self, document: object, *, indent: int | None = 2) -> None:
        """Write one JSON document in ASCII, so that no text in it can control a terminal."""
        self.stream.write(json.dumps(document, indent=indent) + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


def screen() -> Screen:
    """Return standard output as a screen."""
    # A character that the encoding lacks becomes a question mark; without this, the command would end with an error.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    # https://no-color.org: the variable counts if it is not empty.
    return Screen(sys.stdout, terminal=terminal, colour=not os.environ.get("NO_COLOR"))


def say(text: str) -> None:
    """Write printable lines to standard error; their indents stay."""
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip(" "))]
        sys.stderr.write(indent + one_line(line, LINE_LIMIT) + "\n")
    sys.stderr.flush()


def plain_lines(table: Table) -> Iterable[str]:
    """Return a table as aligned lines, the headings first."""
    texts = [table.columns, *([part.text for part in row] for row in table.rows)]
    widths = [max(map(width, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield GAP.join(_padded(text, size) for text, size in zip(row, widths, strict=True)).rstrip()


def _padded(text: str, size: int) -> str:
    return text + " " * (size - width(text))


def width(text: str) -> int:
    """Return the columns that a text takes on a terminal; Korean letters take two each (Unicode, UAX 11)."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _without_empty_columns(table: Table) -> Table:
    kept = [index for index in range(len(table.columns)) if any(row[index].text for row in table.rows)]
    rows = [tuple(row[index] for index in kept) for row in table.rows]
    return Table(tuple(table.columns[index] for index in kept), rows)


def _console(stream: TextIO, *, colour: bool) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        force_terminal=True,
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _print_rich(console: Console, table: Table) -> None:
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=HEADING)
    for heading in table.columns:
        drawn.add_column(heading, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(part.text, style=part.style) for part in row))
    console.print(drawn)
