"""Each file that ``CONTRIBUTING.md`` names exists, except those of its four examples."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
FILE = re.compile(r"`([\w.]+(?:/[\w.]+)*(?:\.(?:py|md|toml|json|lock)|/))`")
EXAMPLES = re.compile(r"(teams|stats)\.py$")


def test_every_file_that_is_named_exists() -> None:
    files = set(FILE.findall(PAGE))
    assert len(files) > 30
    assert [file for file in files if not EXAMPLES.search(file) and not _exists(file)] == []


def _exists(file: str) -> bool:
    # The folder of a layer, such as core/, is below the package.
    return (ROOT / file).exists() or (ROOT / "watcher" / file).exists()


def test_its_make_commands_are_targets() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)`", PAGE)) <= targets
