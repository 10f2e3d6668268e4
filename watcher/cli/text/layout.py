"""Fit a table into a width: omit, shorten and stack columns, but never break an id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.core.text_width import ELLIPSIS, shortened, width

GAP: Final = "  "
INDENT: Final = "    "
"""The indent of the second line of a row that needs two."""
ID: Final = re.compile(r"\b(?=[A-Za-z_]*\d)(?=\d*[A-Za-z_])\w{8,}")
"""A word that may be an id of AiTEMS, of the watcher or of Slack: letters with a digit, e.g. ``6wxgu1abcde``."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A printable text, and its style on a terminal."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; without ``omitted`` and ``least`` it is always shown whole, as an id must be."""

    heading: str
    omitted: int = 0
    """The rank in which it is omitted where the table is too wide: 1 goes first, 0 stays."""
    least: int = 0
    """The columns to which its text may be shortened, behind its last id; 0 for never."""


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and its rows; a plain text stands for a column that is always shown whole."""

    columns: tuple[Column | str, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns to show, the width of each, and the lines that they share."""

    kept: tuple[int, ...]
    widths: tuple[int, ...]
    groups: tuple[range, ...]
    """The positions in ``kept`` that share a line; one group where a row fits into one line."""


def layout_of(table: Table, limit: int | None) -> Layout:
    """Choose columns and widths so that each line takes at most ``limit`` columns; ``None`` for any width."""
    columns = [_column(item) for item in table.columns]
    kept = [index for index in range(len(columns)) if any(row[index].text for row in table.rows)]
    natural = {index: _natural(table, columns, index) for index in kept}
    least = {index: min(natural[index], _least(table, columns, index) or natural[index]) for index in kept}
    if limit is None:
        return Layout(tuple(kept), tuple(natural[index] for index in kept), (range(len(kept)),))
    for index in sorted((index for index in kept if columns[index].omitted), key=lambda index: columns[index].omitted):
        if _total([least[item] for item in kept]) > limit:
            kept.remove(index)
    widths = _shortened([natural[index] for index in kept], [least[index] for index in kept], limit)
    return Layout(tuple(kept), tuple(widths), tuple(_groups(widths, limit)))


def table_lines(
    table: Table, limit: int | None, heading_style: str = "", *, headings: bool = True
) -> Iterator[list[Cell]]:
    """Yield the lines of a table as cells with their padding, the headings first."""
    layout = layout_of(table, limit)
    first = tuple(Cell(_column(item).heading, heading_style) for item in table.columns)
    for row in (first, *table.rows) if headings else table.rows:
        shown = [row[index] for index in layout.kept]
        for number, group in enumerate(layout.groups):
            cells = [Cell(shortened(shown[at].text, layout.widths[at]), shown[at].style) for at in group]
            if number and not any(item.text for item in cells):
                continue
            indent = [Cell(INDENT)] if number else []
            yield [*indent, *_padded(cells, [layout.widths[at] for at in group])]


def _column(item: Column | str) -> Column:
    return item if isinstance(item, Column) else Column(item)


def _natural(table: Table, columns: Sequence[Column], index: int) -> int:
    return max(width(columns[index].heading), *(width(row[index].text) for row in table.rows))


def _least(table: Table, columns: Sequence[Column], index: int) -> int:
    """Return the columns to which a text may be shortened: its ids stay whole."""
    least = columns[index].least
    return least and max(least, *(_up_to_last_id(row[index].text) for row in table.rows))


def _up_to_last_id(text: str) -> int:
    ends = [match.end() for match in ID.finditer(text)]
    if not ends:
        return 0
    return width(text[: ends[-1]]) + (width(ELLIPSIS) if ends[-1] < len(text) else 0)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _shortened(widths: list[int], least: Sequence[int], limit: int) -> list[int]:
    """Shorten the widest column that may be shortened, until the line fits or none is left."""
    while (excess := _total(widths) - limit) > 0:
        spare = [size - low for size, low in zip(widths, least, strict=True)]
        if not any(spare):
            return widths
        index = max(range(len(widths)), key=lambda item: (spare[item] > 0) * widths[item])
        widths[index] -= min(excess, spare[index])
    return widths


def _groups(widths: Sequence[int], limit: int) -> Iterator[range]:
    start = used = 0
    for index, size in enumerate(widths):
        if index > start and used + len(GAP) + size > limit:
            yield range(start, index)
            start, used = index, len(INDENT)
        used += size + (len(GAP) if index > start else 0)
    yield range(start, len(widths))


def _padded(cells: Sequence[Cell], widths: Sequence[int]) -> Iterator[Cell]:
    last = max((at for at, item in enumerate(cells) if item.text), default=-1)
    for at in range(last + 1):
        yield cells[at]
        if at < last:
            yield Cell(" " * (widths[at] - width(cells[at].text) + len(GAP)))
