"""``check``: all faults at once; with ``--online``, each failure with its remedy."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.acceptance.cli_support import KEYS, Workplace, command

pytestmark = pytest.mark.usefixtures("running_demo")
"""The first tests start the demo, and the last ones read its output."""

FAULTY = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = "in plain sight"
timeout = "soon"

[[watch]]
services = "6wxgu1abcde"

[receiver.ml-ops]
kind = "carrier-pigeon"
"""


def test_every_fault_is_listed_with_file_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(FAULTY)
    refused = command("check", "--config", file)
    said, *faults = refused.stderr.splitlines()
    assert refused.returncode == 78
    assert said == f"configuration: {file} (--config)"
    assert [fault.split(": ")[:2] for fault in faults] == [
        [f"{file}:4", "account.main.secret_key"],
        [f"{file}:5", "account.main.timeout"],
        [f"{file}:8", "watch[0].services"],
        [f"{file}:11", "receiver.ml-ops.kind"],
    ]
    assert all("; " in fault for fault in faults)
    assert refused.stdout == ""


def test_without_a_file_it_names_the_places_and_an_example(tmp_path: Path) -> None:
    refused = command("check", cwd=tmp_path)
    assert refused.returncode == 78
    assert str(tmp_path / "config.toml") in refused.stderr
    assert "  [account.main]\n" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.smoke
def test_the_plan_of_a_valid_configuration_needs_no_secret(workplace: Workplace) -> None:
    shown = workplace.command("check")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"the configuration is valid: {workplace.config}\n")
    assert "every 200ms" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert workplace.json("check")["watches"][0]["served_by"] == f"list of {workplace.service}"


def test_online_each_success_is_listed(workplace: Workplace) -> None:
    shown = workplace.command("check", "--online", env=KEYS)
    assert shown.returncode == 0, shown.stdout
    assert "ok      list: 1 training" in shown.stdout
    assert "ok      key accepted" in shown.stdout


def test_online_each_failure_has_its_cause_and_remedy(workplace: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        hooks = f"""
[receiver.listens]
kind = "webhook"
url = "http://127.0.0.1:{port}/hook"

[receiver.is-away]
kind = "webhook"
url = "http://127.0.0.1:1/hook"
"""
        workplace.write(hooks)
        shown = workplace.command("check", "--online", "--json", env={**KEYS, "NCP_SECRET_KEY": "another-secret"})
    found = {item["about"]: item for item in json.loads(shown.stdout)["online"]}
    assert shown.returncode == 1
    assert found["account main"]["cause"] == "key"
    assert found["watch shop-main"]["cause"] == "key"
    assert "secret_key" in found["watch shop-main"]["advice"]
    assert found["receiver listens"]["good"]
    assert found["receiver is-away"]["cause"] == "connect"


def test_online_a_missing_secret_is_named(workplace: Workplace) -> None:
    shown = workplace.command("check", "--online")
    assert shown.returncode == 78
    assert "NCP_ACCESS_KEY is not set" in shown.stdout
    assert "receiver console" in shown.stdout


def test_a_plan_above_the_budget_is_refused_with_sufficient_settings(workplace: Workplace) -> None:
    workplace.config.write_text(workplace.config.read_text().replace("= 100.0", "= 2.0"))
    refused = workplace.command("check", "--online")
    _, line = refused.stderr.splitlines()
    assert refused.returncode == 78
    assert refused.stdout == ""
    assert line == (
        "account main: with everything in progress it needs 5 requests per second, and 2 are allowed; "
        "raise requests_per_second to 5, or interval to 500ms"
    )
    assert workplace.json("check")["refusals"] == [line]
