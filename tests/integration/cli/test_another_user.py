"""``status`` and ``doctor`` by a user who may not read everything of the store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner
from tests.unit.config.test_usable_part import GOOD
from watcher.store.sqlite.database import open_database

NOW = datetime.now(UTC)
USER = 4242

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that everybody may read, with a configuration, a store and the folder of its backups."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "config.toml").write_text(GOOD.replace("here.db", "store/here.db"))
        (place / "store").mkdir()
        open_database(place / "store" / "here.db", purpose="test", now=NOW).close()
        (place / "store" / "here.db").chmod(0o644)
        (place / "store" / "backups").mkdir(mode=0o700, exist_ok=True)
        yield place


@contextmanager
def another_user() -> Iterator[None]:
    # The saved user stays root, to become it again.
    os.setresuid(USER, USER, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_private_backups_do_not_hide_the_status(run: Run, folder: Path) -> None:
    with another_user():
        ended = run("status", "--config", folder / "config.toml")
    assert ended.status == 1
    assert ended.out.startswith("no daemon runs on this store")
    assert "backup" not in ended.out


@pytest.mark.parametrize("rights", [0o700, 0o744], ids=["closed", "listed only"])
def test_doctor_names_a_folder_that_it_may_not_enter(run: Run, folder: Path, rights: int) -> None:
    (folder / "store").chmod(rights)
    with another_user():
        ended = run("doctor", "--config", folder / "config.toml")
    assert ended.status == 1
    assert "Permission denied" in ended.out
    assert "run this as the watcher's user" in ended.out
