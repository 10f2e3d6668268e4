"""Follows each step of ``docs/tutorial.md``: writes its files and runs its commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.cli_support import KEYS, SCRIPT, Simulated, collecting, simulated
from tests.acceptance.page_shell import blocks, free_ports, shell
from tests.support.paths import ROOT

PAGE: Final = (ROOT / "docs" / "tutorial.md").read_text()


@pytest.fixture
def own_simulator() -> Iterator[Simulated]:
    """Yield a simulator for one test: ``discover`` takes a second for each service of the others."""
    with simulated() as running:
        yield running


def test_step_1_the_demo(tmp_path: Path) -> None:
    with shell(PAGE, tmp_path) as terminals:
        terminals.follow("1. ")


def test_step_2_the_simulator_and_a_receiver(tmp_path: Path) -> None:
    api, hook = free_ports(2)
    changes = {"127.0.0.1:8080": f"127.0.0.1:{api}", "--port 8080": f"--port {api}", "9000": str(hook)}
    with shell(PAGE, tmp_path, changes) as terminals:
        terminals.follow("2. ")


def test_step_3_an_account(tmp_path: Path, own_simulator: Simulated) -> None:
    own_simulator.set_training("6wxgu1abcde", "maqll0abcde", "learning")
    changes = {"[account.main]": f'[account.main]\nbase_url = "{own_simulator.base_url}"'}
    with collecting() as (url, posted), shell(PAGE, tmp_path, changes, **KEYS, SLACK_WEBHOOK_URL=url) as terminals:
        terminals.variables["STATE_DIRECTORY"] = str(tmp_path)
        terminals.follow("3. ")
    assert '[[watch]]\naccount = "main"\nservice = "6wxgu1abcde"' in terminals.output.read_text()
    assert len(posted) == 1, "the test alert"


def test_step_4_a_server(tmp_path: Path) -> None:
    """Run the commands below a folder in place of the root; systemd and pip have their own tests."""
    shutil.copytree(ROOT / "systemd", tmp_path / "systemd")
    root = tmp_path / "root"
    (root / "usr/local/bin").mkdir(parents=True)
    for secret in ("ncp-access-key", "ncp-secret-key", "slack-webhook-url"):
        (tmp_path / secret).write_text("x\n")
    with shell(PAGE, tmp_path) as terminals:
        for block in blocks(PAGE, "4. "):
            if block.file is not None:
                (tmp_path / block.file).write_text(block.text)
                continue
            for command in block.commands():
                if command.startswith(("install ", "rm config.toml", "aitems-watcher check ")):
                    terminals.type(re.sub(r"(?<= )/", f"{root}/", command))
                else:
                    assert re.match(r"systemctl |scripts/install-server$|aitems-watcher status$", command)
    folder = root / "etc/systemd/system"
    unit = (folder / "aitems-watcher.service").read_text()
    started = re.search(r"^ExecStart=(\S+) run --config (\S+)$", unit, re.MULTILINE)
    assert started is not None
    assert f"LINK:-{started[1]}}}" in (ROOT / "scripts" / "install-server").read_text()
    loaded = re.findall(
        r"^LoadCredential=(\S+):/(\S+)$",
        (folder / "aitems-watcher.service.d/credentials.conf").read_text(),
        re.MULTILINE,
    )
    named = re.findall(r'credential = "(.+)"', (root / started[2][1:]).read_text())
    assert [name for name, _ in loaded] == named
    assert all((root / path).stat().st_mode & 0o777 == 0o600 for _, path in loaded)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_step_4_systemd_accepts_the_unit_with_its_credentials(tmp_path: Path) -> None:
    drop_in = next(block for block in blocks(PAGE, "4. ") if block.file == "credentials.conf")
    folder = tmp_path / "aitems-watcher.service.d"
    folder.mkdir()
    (folder / "credentials.conf").write_text(drop_in.text)
    unit = tmp_path / "aitems-watcher.service"
    text = (ROOT / "systemd" / "aitems-watcher.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/aitems-watcher", str(SCRIPT)))
    verified = subprocess.run(  # noqa: S603 - our own
        [shutil.which("systemd-analyze") or "", "verify", unit], check=False, capture_output=True, text=True
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_installation_needs_only_the_makefile() -> None:
    commands = re.findall(r"^make (\w+)$", PAGE.partition("\n## ")[0], re.MULTILINE)
    assert commands == ["setup"]
    makefile = ROOT / "Makefile"
    if not makefile.exists():
        pytest.skip("without the source")
    assert f"\n{commands[0]}:" in makefile.read_text()
