"""Documents for servers give secrets as credentials: the unit's user cannot read files of root."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", ROOT / "config.example.toml", *(ROOT / "docs").glob("*.md")])
OF_ROOT = re.compile(r"""file\s*=\s*["']/(etc|root)/""")
VARIABLE = re.compile(r"STATE_DIRECTORY=/var")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_secret_is_a_file_of_root(page: Path) -> None:
    found = [line for line in page.read_text().splitlines() if OF_ROOT.search(line) and "ca_file" not in line]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_needs_the_variable_of_the_unit(page: Path) -> None:
    assert not VARIABLE.search(page.read_text())


def test_each_credential_of_the_tutorial_is_loaded() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    assert set(re.findall(r'credential = "([\w-]+)"', tutorial)) == set(
        re.findall(r"^LoadCredential=([\w-]+):", tutorial, re.MULTILINE)
    )
