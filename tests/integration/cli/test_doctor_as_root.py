"""``doctor`` as root judges for the daemon's user, not for root."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner
from tests.unit.config.test_usable_part import GOOD
from watcher.store.sqlite.database import open_database

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
USER = 4242

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root judges for another user")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of another user, with a configuration, its secrets and a store."""
    for name in ("A", "B"):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    text = GOOD.replace('env = "A"', f'file = "{tmp_path}/A"').replace('env = "B"', f'file = "{tmp_path}/B"')
    (tmp_path / "config.toml").write_text(text)
    os.chown(tmp_path, USER, USER)
    open_database(tmp_path / "here.db", purpose="test", now=NOW).close()
    return tmp_path


def test_a_store_that_the_user_cannot_open_is_a_fault(run: Run, folder: Path) -> None:
    assert "cannot open" not in run("doctor", "--config", folder / "config.toml").out
    os.chown(folder / "here.db", 0, 0)
    ended = run("doctor", "--config", folder / "config.toml")
    assert ended.status == 1
    assert f"the watcher's user ({USER}) cannot open {folder / 'here.db'}" in ended.out
    assert f"chown {USER}: {folder / 'here.db'}" in ended.out


@pytest.mark.parametrize("name", ["here.db.lock", "backups"])
def test_its_other_files_count_too(run: Run, folder: Path, name: str) -> None:
    (folder / "backups").mkdir(mode=0o700, exist_ok=True)
    os.chown(folder / "backups", USER, USER)
    os.chown(folder / name, 0, 0)
    assert f"cannot open {folder / name}" in run("doctor", "--config", folder / "config.toml").out


def test_a_secret_that_only_root_can_read_is_a_fault_that_names_credentials(run: Run, folder: Path) -> None:
    ended = run("doctor", "--config", folder / "config.toml")
    assert ended.status == 1
    assert f"the watcher's user ({USER}) cannot read {folder / 'A'} (0600)" in ended.out
    assert 'give it as { credential = "…" }, with LoadCredential= in the unit' in ended.out
