"""Lines of CSV (RFC 4180) that a spreadsheet cannot run as formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Final, TextIO

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet runs a text that begins so as a formula, also behind blanks (OWASP, "CSV Injection")."""
HARMLESS: Final = "'"


def write_csv(stream: TextIO, names: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a heading and one line a row; a line holds the fields with these names."""
    fields = tuple(names)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([csv_field(row[name]) for name in fields] for row in rows)


def csv_field(value: object) -> str | int | float:
    """Return a value as CSV has it: nothing is empty, a text that could be a formula begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = str(value).replace("\x00", "")
    return HARMLESS + text if text.lstrip(" ").startswith(FORMULA_STARTS) else text
