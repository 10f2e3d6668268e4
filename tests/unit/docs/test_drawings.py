"""The docs say what the code does."""

from __future__ import annotations

from tests.support.paths import ROOT

import runpy
from pathlib import Path



def test_the_picture_of_a_trainings_life_is_the_tables() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "draw_lifecycle.py"))["drawn"]
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert drawn(page) == page, "run make docs"
