"""The dashboard is the script's and as Grafana's models have it, and the documentation prints how to provision it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import panelcfg_config
from grafana_foundation_sdk.models import prometheus
from grafana_foundation_sdk.models.dashboard import Dashboard

from scripts.grafana_dashboard import dashboard, expressions
from tests.support.paths import ROOT

DATASOURCE_KEYS = {
    *("name", "type", "access", "url", "uid", "orgId", "isDefault", "editable", "version", "jsonData"),
    *("secureJsonData", "basicAuth", "basicAuthUser", "withCredentials", "database", "user"),
}
PROVIDER_KEYS = {
    *("name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds"),
    *("allowUiUpdates", "options"),
}
"""The keys of https://grafana.com/docs/grafana/latest/administration/provisioning."""



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


def lost(given: object, read: object, place: str = "") -> Iterator[str]:
    """Yield the place of each value that a model of Grafana does not have, or has changed."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            yield from lost(value, read.get(name), f"{place}.{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from lost(one, other, f"{place}[{number}]")
    elif given != read:
        yield place


def read_by_grafana(given: dict[str, Any]) -> tuple[Dashboard, Any]:
    """Return a dashboard as the model of Grafana has it, and as JSON again."""
    register_default_plugins()
    model = Dashboard.from_json(given)
    return model, json.loads(JSONEncoder().encode(model))


def test_the_models_of_grafana_have_every_field_of_the_dashboard() -> None:
    model, read = read_by_grafana(dashboard())
    assert list(lost(dashboard(), read)) == []
    targets = [target for panel in model.panels or [] for target in getattr(panel, "targets", None) or []]
    assert {type(target) for target in targets} == {prometheus.Dataquery}
    assert len(targets) == len(expressions())


def test_a_field_that_grafana_does_not_have_is_found() -> None:
    wrong = dashboard()
    wrong["panels"][1]["targets"][0]["expression"] = "up"
    wrong["panels"][1]["gridPos"]["z"] = 1
    found = list(lost(wrong, read_by_grafana(wrong)[1]))
    assert found == [".panels[1].gridPos.z", ".panels[1].targets[0].expression"]


def test_each_kind_of_panel_is_one_of_grafana() -> None:
    register_default_plugins()
    kinds = {panel["type"] for panel in dashboard()["panels"]} - {"row"}
    assert [kind for kind in kinds if panelcfg_config(kind) is None] == []


def test_the_documentation_prints_files_that_provision_the_dashboard_and_its_data_source() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text().partition("## Grafana")[2]
    source, provider = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[:2])
    assert (source.keys(), provider.keys()) == ({"apiVersion", "datasources"}, {"apiVersion", "providers"})
    assert source["apiVersion"] == provider["apiVersion"] == 1
    (datasource,), (of_dashboards,) = source["datasources"], provider["providers"]
    assert datasource.keys() <= DATASOURCE_KEYS
    assert of_dashboards.keys() <= PROVIDER_KEYS
    assert of_dashboards["options"].keys() <= {"path", "foldersFromFilesStructure"}
    # The variable of the dashboard takes the data source that is the default of this type.
    (variable,) = dashboard()["templating"]["list"]
    assert (variable["query"], datasource["isDefault"]) == (datasource["type"], True)
