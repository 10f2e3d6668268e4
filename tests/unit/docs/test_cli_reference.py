"""``docs/cli.md`` is the generated reference of the commands."""

from __future__ import annotations

import runpy

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text()


def test_the_reference_is_generated_from_the_commands() -> None:
    reference = runpy.run_path(str(ROOT / "scripts" / "generate_cli_reference.py"))["reference"]
    assert reference() == PAGE, "run make docs"


def test_every_line_of_text_fits_100_columns() -> None:
    assert [
        line for line in PAGE.splitlines() if len(line) > 100 and not line.startswith(("|", "aitems-watcher"))
    ] == []
