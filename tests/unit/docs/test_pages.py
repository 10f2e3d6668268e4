"""The text of every page is wrapped, and the index has every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
WIDTH = 100
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"(?:^ *\|.*\n?)+", re.MULTILINE)
CELL_END = re.compile(r"(?<!\\)\|")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_text_is_wrapped(page: Path) -> None:
    lines = CODE.sub("", page.read_text()).splitlines()
    too_long = [line for line in lines if len(line) > WIDTH and not line.lstrip().startswith(("|", "<!--"))]
    assert [line for line in too_long if " " in LINK.sub("", line).strip()] == []


@pytest.mark.parametrize("page", ["configuration.md", "routing.md", "glossary.md"])
def test_each_list_of_urgent_events_is_complete(page: str) -> None:
    text = " ".join((ROOT / "docs" / page).read_text().lower().split())
    assert re.search("failures?, (a )?failed updates?, `stuck`, `overdue`,? (or an |and )?incidents?", text)


def test_the_index_has_every_page_of_docs() -> None:
    listed = set(LINK.findall((ROOT / "docs" / "index.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= listed


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_row_of_a_table_has_as_many_cells_as_its_header(page: Path) -> None:
    text = CODE.sub("", page.read_text())
    for table in TABLE.findall(text):
        header, *rows = (len(CELL_END.findall(row)) for row in table.strip().splitlines())
        assert [number for number, cells in enumerate(rows, 1) if cells != header] == [], table[:200]
