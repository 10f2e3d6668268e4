"""``migrate`` rewrites the store of an older version, so that its file can shrink."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner
from tests.integration.cli.test_small_ends import CONFIG, NOW
from watcher.store.sqlite import free_pages
from watcher.store.sqlite.database import open_database

REWRITTEN = "the store was rewritten: its file can shrink from now on"
INCREMENTAL = 2


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store like that of an older version, beside its configuration."""
    (tmp_path / "config.toml").write_text(CONFIG)
    open_database(tmp_path / "watcher.db", purpose="test", now=NOW).close()
    with closing(sqlite3.connect(tmp_path / "watcher.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("VACUUM")
    return tmp_path / "watcher.db"


def mode(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("PRAGMA auto_vacuum").fetchone()[0])


def test_an_older_store_is_rewritten_once(store: Path, run: Run) -> None:
    config = store.with_name("config.toml")
    first, second = run("migrate", "--config", config), run("migrate", "--config", config)
    assert (first.status, second.status, mode(store)) == (0, 0, INCREMENTAL)
    assert REWRITTEN in first.err
    assert REWRITTEN not in second.err
    assert "nothing to do" in second.out


@pytest.mark.parametrize("command", ["migrate --check", "status", "history"])
def test_a_reading_command_leaves_it_as_it_is(store: Path, run: Run, command: str) -> None:
    ended = run(*command.split(), "--config", store.with_name("config.toml"))
    assert REWRITTEN not in ended.err
    assert mode(store) == 0


@pytest.mark.parametrize("problem", ["database or disk is full", "disk I/O error", "database is locked"])
def test_a_store_that_cannot_be_rewritten_stays_usable(
    store: Path, run: Run, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: sqlite3.Connection) -> bool:
        raise sqlite3.OperationalError(problem)

    monkeypatch.setattr(free_pages, "make_shrinkable", fail)
    ended = run("migrate", "--config", store.with_name("config.toml"))
    assert ended.status == 0
    assert f"warning: cannot rewrite {store}: {problem}; it needs twice its size on the disk" in ended.err
    assert mode(store) == 0
