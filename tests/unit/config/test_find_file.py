from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.paths import DATA
from watcher.config import Config, ConfigError, ConfigFile, ConfigNotFoundError, find, find_file, load
from watcher.config.find_file import FIRST_CONFIGURATION

MINIMAL = (DATA / "config" / "good" / "minimal.toml").read_text()


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


def config_at(path: Path, state: str = "") -> Config:
    return load(path, text=f"{state}\n{MINIMAL}")


STORE = find_file.SYSTEM_STATE_FOLDER / "watcher.db"


def test_the_systems_file_implies_the_store_of_the_unit(system_file: Path) -> None:
    assert config_at(system_file).store_path({"HOME": "/root"}) == STORE


def test_every_way_to_name_the_systems_file_implies_it(
    system_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_file.touch()
    (tmp_path / "link.toml").symlink_to(system_file)
    monkeypatch.chdir(system_file.parent)
    for path in ("config.toml", "./config.toml", "../etc/config.toml", tmp_path / "link.toml"):
        assert config_at(Path(path)).store_path({"HOME": "/root"}) == STORE
    assert config_at(find(None, {}, Path.cwd()).path).store_path({}) == STORE


def test_a_link_in_the_place_of_the_systems_file_implies_it(system_file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").touch()
    system_file.symlink_to(tmp_path / "elsewhere.toml")
    assert config_at(system_file).store_path({"HOME": "/root"}) == STORE


def test_another_file_implies_no_folder(system_file: Path) -> None:
    system_file.touch()
    for name in ("other.toml", "staging/config.toml"):
        path = system_file.parent / name
        assert config_at(path).store_path({"HOME": "/root"}) == Path("/root/.local/state/aitems-watcher/watcher.db")


def test_a_url_and_the_units_variable_take_precedence_over_the_implied_folder(system_file: Path) -> None:
    assert config_at(system_file, '[state]\nurl = "sqlite:////srv/w.db"').store_path({}) == Path("/srv/w.db")
    assert config_at(system_file).store_path({"STATE_DIRECTORY": "/srv/state"}) == Path("/srv/state/watcher.db")


def test_a_removed_current_folder_is_no_candidate(system_file: Path) -> None:
    system_file.touch()
    assert find(None, {}, None).path == system_file
    system_file.unlink()
    with pytest.raises(ConfigNotFoundError) as error:
        find(None, {}, None)
    assert [candidate.path for candidate in error.value.searched] == [system_file]


def test_the_error_of_a_user_without_a_home_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with pytest.raises(ConfigError, match=r"state\.url: is not set, and this user has no home folder.*STATE_DIRECTORY"):
        config_at(tmp_path / "config.toml").store_path({"HOME": ""})
