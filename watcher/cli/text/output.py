"""Output: coloured tables on a terminal, aligned plain text in a pipe.

Texts from outside pass through ``cell``, which removes control characters, so that they cannot control a terminal.
JSON keeps such texts unchanged and escapes every character outside ASCII.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final, TextIO

from watcher.cli.text.layout import Cell, Table, table_lines
from watcher.core.messages.text import one_line

if TYPE_CHECKING:
    from rich.console import Console

CELL_LIMIT: Final = 300
"""The most characters of one text from outside."""
LINE_LIMIT: Final = 2_000
LEAST_WIDTH: Final = 20

GOOD: Final = "green"
BAD: Final = "bold red"
WARN: Final = "yellow"
BUSY: Final = "blue"
FAINT: Final = "dim"
HEADING: Final = "bold"


def cell(text: object, style: str = "") -> Cell:
    """Return a printable text: one line without control characters."""
    return Cell(one_line(str(text), CELL_LIMIT), style)


class Screen:
    """Writes to one stream, for a terminal or as plain text."""

    def __init__(
        self, stream: TextIO, *, terminal: bool, colour: bool, width: int | None = None, wrapped: bool = False
    ) -> None:
        self.stream = stream
        self.width = width
        """The columns of a line of a table; ``None`` for any number."""
        self.terminal = terminal
        self.colour = colour
        self._wrapped = wrapped
        """Whether a longer line is broken here, and not by the terminal."""
        self._console = _console(stream, colour=colour, width=width) if terminal else None

    def line(self, *cells: Cell | str) -> None:
        """Write one line made of cells."""
        parts = [Cell(part) if isinstance(part, str) else part for part in cells]
        if self._console is None:
            self.stream.write("".join(part.text for part in parts).rstrip() + "\n")
            return
        from rich.text import Text

        text = Text.assemble(*((part.text, part.style) for part in parts))
        self._console.print(text, soft_wrap=not self._wrapped, overflow="fold")

    def table(self, table: Table, *, headings: bool = True) -> None:
        """Write a table without its empty columns, fitted into the width."""
        for line in table_lines(table, self.width, HEADING, headings=headings):
            self.line(*line)

    def json(self, document: object, *, indent: int | None = 2) -> None:
        """Write one JSON document in ASCII, so that no text in it can control a terminal."""
        self.stream.write(json.dumps(document, indent=indent) + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


def screen(*, wide: bool = False) -> Screen:
    """Return standard output as a screen; ``wide`` is for tables of any width."""
    # A character that the encoding lacks becomes a question mark; without this, the command would end with an error.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    # A pipe has 80 columns, whatever the terminal has, so that a script finds the same table everywhere.
    columns = None if wide else max(shutil.get_terminal_size().columns, LEAST_WIDTH)
    # https://no-color.org: the variable counts if it is not empty.
    return Screen(sys.stdout, terminal=terminal, colour=not os.environ.get("NO_COLOR"), width=columns)


def say(text: str) -> None:
    """Write printable lines to standard error; their indents stay."""
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip(" "))]
        sys.stderr.write(indent + one_line(line, LINE_LIMIT) + "\n")
    sys.stderr.flush()


def _console(stream: TextIO, *, colour: bool, width: int | None) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        width=width,
        force_terminal=True,
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
