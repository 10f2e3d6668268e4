from __future__ import annotations

from pathlib import Path

import pytest

from watcher.config import ConfigError, ConfigNotFoundError, Found, find, load
from watcher.config import find_file as lookup
from watcher.config.find_file import FIRST_CONFIGURATION


@pytest.fixture(autouse=True)
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "etc" / "config.toml"
    path.parent.mkdir()
    monkeypatch.setattr(lookup, "SYSTEM_FILE", path)
    return path


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return folder


def test_the_option_goes_before_all_others(cwd: Path) -> None:
    (cwd / "config.toml").touch()
    (cwd / "by-option.toml").touch()
    (cwd / "by-variable.toml").touch()
    environ = {"AITEMS_WATCHER_CONFIG": str(cwd / "by-variable.toml")}

    assert find(cwd / "by-option.toml", environ, cwd) == Found(cwd / "by-option.toml", "--config")


def test_the_variable_goes_before_the_current_folder(cwd: Path) -> None:
    (cwd / "config.toml").touch()
    (cwd / "by-variable.toml").touch()
    environ = {"AITEMS_WATCHER_CONFIG": str(cwd / "by-variable.toml")}

    assert find(None, environ, cwd) == Found(cwd / "by-variable.toml", "$AITEMS_WATCHER_CONFIG")


def test_the_current_folder_goes_before_the_system(cwd: Path, system_file: Path) -> None:
    (cwd / "config.toml").touch()
    system_file.touch()

    assert find(None, {}, cwd) == Found(cwd / "config.toml", "the current folder")


def test_the_systems_file_comes_last(cwd: Path, system_file: Path) -> None:
    system_file.touch()

    assert find(None, {"AITEMS_WATCHER_CONFIG": ""}, cwd) == Found(system_file, "the system's configuration")


def test_a_named_file_that_is_absent_is_not_replaced_by_another(cwd: Path, system_file: Path) -> None:
    (cwd / "config.toml").touch()
    system_file.touch()

    for explicit, environ in ((cwd / "none", {}), (None, {"AITEMS_WATCHER_CONFIG": str(cwd / "none")})):
        with pytest.raises(ConfigNotFoundError) as caught:
            find(explicit, environ, cwd)
        assert [place.path for place in caught.value.polled] == [cwd / "none"]
        assert str(cwd / "none") in str(caught.value)


def test_where_there_is_none_it_says_where_it_polled_and_what_to_write(cwd: Path, system_file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find(None, {}, cwd)

    message = str(caught.value)
    assert str(cwd / "config.toml") in message
    assert str(system_file) in message
    assert "--config" in message
    assert "$AITEMS_WATCHER_CONFIG" in message
    assert all(line in message for line in FIRST_CONFIGURATION.splitlines())


def test_the_configuration_of_the_hint_is_taken() -> None:
    assert len(FIRST_CONFIGURATION.splitlines()) <= 10
    assert load(Path("config.toml"), text=FIRST_CONFIGURATION).routes[0].to == ("ml-ops",)


def test_a_folder_that_may_not_be_searched_is_not_taken_for_empty(
    cwd: Path, system_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> bool:
        if path == system_file:
            raise PermissionError
        return False

    # A superuser may search every folder, so the refusal is made here.
    monkeypatch.setattr(Path, "exists", forbidden)

    assert find(None, {}, cwd).path == system_file
