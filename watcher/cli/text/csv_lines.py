"""Lines of CSV (RFC 4180) that a spreadsheet cannot run as formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TextIO

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet runs a text that begins so as a formula, also behind blanks (OWASP, "CSV Injection")."""
SUSPICIOUS: Final = frozenset((*FORMULA_STARTS, " ", "'"))
HARMLESS: Final = "'"


class CsvLines:
    """Writes lines with the same fields to a stream, the heading first."""

    def __init__(self, stream: TextIO, fields: Sequence[str]) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(fields)

    def write(self, rows: Iterable[Iterable[object]]) -> None:
        """Write one line a row."""
        self._writer.writerows([csv_field(value) for value in row] for row in rows)


def write_csv(stream: TextIO, names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a heading and one line a row; a line holds the fields with these names."""
    CsvLines(stream, names).write([row[name] for name in names] for row in rows)


def csv_field(value: object) -> str | int | float | None:
    """Return a value as CSV has it: nothing is empty, a text that could be a formula begins with an apostrophe."""
    if isinstance(value, str):
        if value[:1] not in SUSPICIOUS and "\x00" not in value:
            return value
        text = value.replace("\x00", "")
        return HARMLESS + text if text.lstrip(" ").startswith(FORMULA_STARTS) else text
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None or isinstance(value, int | float) else csv_field(str(value))
