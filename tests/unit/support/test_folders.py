"""The folder of a test shows its cost, and the Makefile names each folder."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

TESTS = ROOT / "tests"


def test_only_the_folders_mark_their_tests_as_slow_or_alone() -> None:
    marked = [path for path in TESTS.rglob("*.py") if re.search(r"mark\.(slow|alone)\b", path.read_text())]
    assert sorted(marked) == [TESTS / "alone" / "conftest.py", TESTS / "slow" / "conftest.py"]


def test_a_target_of_the_makefile_runs_each_folder() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert folders == set(re.findall(r"\btests/(\w+)\b", (ROOT / "Makefile").read_text()))
