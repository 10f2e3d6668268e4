"""The store read by a user who may not write it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.store.sqlite.database import Database, open_database

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[4]
USER = "4242"
READ = """
import sys
from watcher.store.errors import StoreError
from watcher.store.views import open_views
try:
    with open_views("sqlite:///" + sys.argv[1]) as views:
        print(views.facts()["created_at"])
except StoreError as error:
    print(error)
"""
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to run a command as another user"
)


@pytest.fixture
def store() -> Iterator[Path]:
    """Yield the place of a store in a folder that everybody may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "watcher.db"


def read_by_another(store: Path) -> str:
    """Read the store as a user who may not write it; return its creation time, or the error."""
    command = (
        "setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        sys.executable,
        "-c",
        READ,
        str(store),
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)  # noqa: S603 - our own
    return ended.stdout + ended.stderr


def opened(store: Path, mode: int) -> Database:
    database = open_database(store, purpose="test", now=NOW)
    for path in store.parent.glob("watcher.db*"):
        path.chmod(mode)
    return database


def test_a_store_that_nobody_has_open_can_be_read(store: Path) -> None:
    opened(store, 0o644).close()
    assert read_by_another(store) == "2026-11-28T03:00:00.000000Z\n"
    assert not store.with_name("watcher.db-wal").exists()


def test_a_store_beside_its_daemon_can_be_read_where_all_files_can(store: Path) -> None:
    database = opened(store, 0o644)
    assert read_by_another(store) == "2026-11-28T03:00:00.000000Z\n"
    database.close()


def close_side_files(store: Path) -> None:
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).chmod(0o600)


def close_all(store: Path) -> None:
    store.chmod(0o600)


def lose_the_index(store: Path) -> None:
    """Leave what a machine leaves that lost its power."""
    content = {path.name: path.read_bytes() for path in store.parent.glob("watcher.db*")}
    copy = store.parent / "copy"
    copy.mkdir()
    for name in ("watcher.db", "watcher.db-wal"):
        (copy / name).write_bytes(content[name])
        (copy / name).chmod(0o644)


@pytest.mark.parametrize("fault", [close_side_files, close_all, lose_the_index], ids=lambda fault: fault.__name__)
def test_the_error_names_the_user_to_run_it_as(store: Path, fault: Callable[[Path], None]) -> None:
    database = opened(store, 0o644)
    fault(store)
    place = store.parent / "copy" / "watcher.db" if fault is lose_the_index else store
    assert "this user may not open its files: run this as root" in read_by_another(place)
    database.close()


def test_a_damaged_store_still_has_the_usual_remedy(store: Path) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    store.chmod(0o644)
    assert "or restore it" in read_by_another(store)
