"""Commands on the store while the configuration's file is faulty: a daemon may still run with its old one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner
from tests.unit.config.test_usable_part import FAULTY, GOOD
from watcher.store.sqlite.database import open_database

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
READING = ("status", "history", "deliveries list", "silence list", "doctor", "backup {}/copy.db")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    open_database(tmp_path / "here.db", purpose="test", now=NOW).close()
    (tmp_path / "config.toml").write_text(GOOD)
    return tmp_path / "config.toml"


def arguments(command: str, folder: Path) -> list[str]:
    return command.format(folder).split()


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("fault", ["a text that is not closed", "an unknown section", "a misspelt key"])
def test_a_faulty_file_blinds_no_command(run: Run, config: Path, command: str, fault: str) -> None:
    expected = run(*arguments(command, config.parent), "--config", config)
    (config.parent / "copy.db").unlink(missing_ok=True)
    config.write_text(FAULTY[fault])
    ended = run(*arguments(command, config.parent), "--config", config)
    assert f"{config}:" in ended.err + ended.out, "the fault is named"
    if command == "doctor":
        assert "here.db: intact" in ended.out
        assert ended.status == 1
    else:
        assert "the configuration is faulty" in ended.err
        assert ended.status == expected.status


def test_a_missing_store_is_still_reported(run: Run, config: Path) -> None:
    (config.parent / "here.db").unlink()
    config.write_text(FAULTY["a text that is not closed"])
    ended = run("status", "--config", config)
    assert ended.status == 75
    assert f"there is no store at {config.parent / 'here.db'}" in ended.err


def test_check_still_refuses_a_faulty_file(run: Run, config: Path) -> None:
    config.write_text(FAULTY["a misspelt key"])
    assert run("check", "--config", config).status == 78


@pytest.mark.parametrize("fault", sorted(FAULTY))
def test_reload_without_a_daemon_names_the_faults_of_the_file(run: Run, config: Path, fault: str) -> None:
    config.write_text(FAULTY[fault])
    ended = run("reload", "--config", config)
    assert ended.status == 78
    assert "no daemon listens" in ended.err
    assert f"{config}:" in ended.err


@pytest.mark.parametrize("fault", ["a text that is not closed", "an unknown section", "a table twice"])
def test_reload_reads_no_file_where_the_daemon_of_the_unit_answers(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The daemon reads the file itself."""
    asked: list[Path] = []

    def answer(path: Path, command: str, _arguments: Mapping[str, object]) -> Mapping[str, object]:
        asked.append(path)
        return {"outcome": "refused", "file": str(config), "faults": [f"{command} refused"]}

    def read(_path: Path) -> None:
        raise AssertionError("the file was read")

    monkeypatch.setenv("RUNTIME_DIRECTORY", str(config.parent / "run"))
    monkeypatch.setattr("watcher.control.client.request", answer)
    monkeypatch.setattr("watcher.config.usable_part.load_usable", read)
    config.write_text(FAULTY[fault])
    assert run("reload", "--config", config).status == 78
    assert asked == [config.parent / "run" / "control.sock"]
