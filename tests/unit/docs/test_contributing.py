"""Each file that ``CONTRIBUTING.md`` names exists, except those of its four examples."""

from __future__ import annotations

from tests.support.paths import ROOT

import re
from pathlib import Path


PAGE = (ROOT / "CONTRIBUTING.md").read_text()
PLACE = re.compile(r"`([\w.]+(?:/[\w.]+)*(?:\.(?:py|md|toml|json|lock)|/))`")
EXAMPLES = re.compile(r"(teams|stats)\.py$")


def test_every_file_that_is_named_exists() -> None:
    places = set(PLACE.findall(PAGE))
    assert len(places) > 30
    assert [place for place in places if not EXAMPLES.search(place) and not _exists(place)] == []


def _exists(place: str) -> bool:
    # A layer's name, such as core/, stands below the package.
    return (ROOT / place).exists() or (ROOT / "watcher" / place).exists()


def test_its_make_commands_are_targets() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)`", PAGE)) <= targets
