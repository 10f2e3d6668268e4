"""The drawings in the documents match the code."""

from __future__ import annotations

import runpy

from tests.support.paths import ROOT


def test_the_state_diagram_of_a_training_matches_the_table() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "draw_lifecycle.py"))["drawn"]
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert drawn(page) == page, "run make docs"
