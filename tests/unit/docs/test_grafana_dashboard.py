"""The dashboard of Grafana: its file is the script's, and each query is one of Prometheus about our metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.grafana_dashboard import dashboard, expressions
from tests.support.paths import ROOT



def test_the_file_is_the_one_that_the_script_writes() -> None:
    assert json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text()) == dashboard()


def test_prometheus_can_read_each_query(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    rules = [{"record": f"query_{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "rules.json"
    # JSON is YAML.
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)  # noqa: S603 - Debian's
    assert checked.returncode == 0, checked.stderr


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
