"""CSV: no text in it is a formula, and each field is read back as it was."""

from __future__ import annotations

import csv
import io

import pytest

from watcher.cli.text.csv_lines import csv_field, write_csv

FORMULAS = ['=HYPERLINK("http://x")', "+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "=1\x00"]


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
def test_a_text_that_could_be_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert csv_field(text) == "'" + text.replace("\x00", "")


@pytest.mark.parametrize(
    ("value", "field"),
    [("a=b", "a=b"), ("", ""), (None, None), (-1.5, -1.5), (0, 0), (True, "true"), (False, "false"), ("5-x", "5-x")],
)
def test_another_value_stays(value: object, field: object) -> None:
    assert csv_field(value) == field


def test_fields_with_separators_are_read_back() -> None:
    rows: list[dict[str, object]] = [{"a": 'x,"y"\nz', "b": 1.5}, {"a": "가", "b": None}]
    stream = io.StringIO()
    write_csv(stream, ("a", "b"), rows)
    assert list(csv.DictReader(io.StringIO(stream.getvalue(), newline=""))) == [
        {"a": 'x,"y"\nz', "b": "1.5"},
        {"a": "가", "b": ""},
    ]
