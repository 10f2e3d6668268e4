"""Follows the guides that have steps: each command as it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.page_shell import free_ports, shell
from tests.support.paths import ROOT


@pytest.mark.parametrize(("name", "steps"), [("invented-history", ["Make one", "Read it"]), ("overdue", ["See one"])])
def test_each_command_of_a_guide_runs_as_printed(tmp_path: Path, name: str, steps: list[str]) -> None:
    (port,) = free_ports(1)
    changes = {"127.0.0.1:8080": f"127.0.0.1:{port}", "--serve": f"--serve --port {port}"}
    with shell((ROOT / "docs" / f"{name}.md").read_text(), tmp_path, changes) as terminals:
        for step in steps:
            terminals.follow(step)
