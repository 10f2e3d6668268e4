from __future__ import annotations

from pathlib import Path

import pytest

from watcher.config import ConfigError, ConfigFile, ConfigNotFoundError, find, find_file, load
from watcher.config.find_file import FIRST_CONFIGURATION


@pytest.fixture(autouse=True)
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "etc" / "config.toml"
    path.parent.mkdir()
    monkeypatch.setattr(find_file, "SYSTEM_FILE", path)
    return path


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return folder


def test_the_option_takes_precedence_over_all_others(cwd: Path) -> None:
    (cwd / "config.toml").touch()
    (cwd / "by-option.toml").touch()
    (cwd / "by-variable.toml").touch()
    environ = {"AITEMS_WATCHER_CONFIG": str(cwd / "by-variable.toml")}

    assert find(cwd / "by-option.toml", environ, cwd) == ConfigFile(cwd / "by-option.toml", "--config")


def test_the_variable_takes_precedence_over_the_current_folder(cwd: Path) -> None:
    (cwd / "config.toml").touch()
    (cwd / "by-variable.toml").touch()
    environ = {"AITEMS_WATCHER_CONFIG": str(cwd / "by-variable.toml")}

    assert find(None, environ, cwd) == ConfigFile(cwd / "by-variable.toml", "$AITEMS_WATCHER_CONFIG")


def test_the_current_folder_takes_precedence_over_the_system(cwd: Path, system_file: Path) -> None:
    (cwd / "config.toml").touch()
    system_file.touch()

    assert find(None, {}, cwd) == ConfigFile(cwd / "config.toml", "the current folder")


def test_the_systems_file_comes_last(cwd: Path, system_file: Path) -> None:
    system_file.touch()

    assert find(None, {"AITEMS_WATCHER_CONFIG": ""}, cwd) == ConfigFile(system_file, "the system's configuration")


def test_a_named_file_that_is_absent_is_not_replaced_by_another(cwd: Path, system_file: Path) -> None:
    (cwd / "config.toml").touch()
    system_file.touch()

    for explicit, environ in ((cwd / "none", {}), (None, {"AITEMS_WATCHER_CONFIG": str(cwd / "none")})):
        with pytest.raises(ConfigNotFoundError) as caught:
            find(explicit, environ, cwd)
        assert [candidate.path for candidate in caught.value.searched] == [cwd / "none"]
        assert str(cwd / "none") in str(caught.value)


def test_without_a_file_the_error_lists_the_searched_paths_and_an_example(cwd: Path, system_file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find(None, {}, cwd)

    message = str(caught.value)
    assert str(cwd / "config.toml") in message
    assert str(system_file) in message
    assert "--config" in message
    assert "$AITEMS_WATCHER_CONFIG" in message
    assert all(line in message for line in FIRST_CONFIGURATION.splitlines())


def test_the_configuration_in_the_hint_is_valid() -> None:
    assert len(FIRST_CONFIGURATION.splitlines()) <= 10
    assert load(Path("config.toml"), text=FIRST_CONFIGURATION).routes[0].to == ("ml-ops",)


def test_a_folder_without_search_permission_does_not_count_as_empty(
    cwd: Path, system_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> bool:
        if path == system_file:
            raise PermissionError
        return False

    # root may search every folder, so the test raises the error itself.
    monkeypatch.setattr(Path, "exists", forbidden)

    assert find(None, {}, cwd).path == system_file
