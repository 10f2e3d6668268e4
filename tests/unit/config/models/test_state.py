from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import DATA
from watcher.config import Config, StateSettings, load

MINIMAL = (DATA / "config" / "good" / "minimal.toml").read_text()


def config_with(url: str) -> Config:
    return load(Path("/etc/aitems-watcher/config.toml"), text=f'[state]\nurl = "{url}"\n{MINIMAL}')


def test_three_slashes_and_a_name_are_a_file_beside_the_configuration() -> None:
    state = config_with("sqlite:///data/watcher.db").state

    assert state.sqlite_path({"STATE_DIRECTORY": "/var/lib/x"}) == Path("/etc/aitems-watcher/data/watcher.db")


def test_four_slashes_are_a_path_from_the_root() -> None:
    assert config_with("sqlite:////srv/watcher.db").state.sqlite_path({}) == Path("/srv/watcher.db")


def test_a_tilde_is_the_home_folder() -> None:
    assert config_with("sqlite:///~/watcher.db").state.sqlite_path({}) == Path.home() / "watcher.db"


def test_without_a_url_the_folder_of_systemd_is_used() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/aitems-watcher", "HOME": "/home/somebody"}

    assert StateSettings().sqlite_path(environ) == Path("/var/lib/aitems-watcher/watcher.db")


def test_the_first_of_several_systemd_folders_is_used() -> None:
    assert StateSettings().sqlite_path({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a/watcher.db")


def test_without_systemd_it_is_in_the_home_folder() -> None:
    expected = Path("/home/somebody/.local/state/aitems-watcher/watcher.db")

    assert StateSettings().sqlite_path({"HOME": "/home/somebody"}) == expected
    assert config_with("").state.sqlite_path({"HOME": "/home/somebody", "STATE_DIRECTORY": ""}) == expected


def test_without_the_variable_the_users_home_folder_is_used() -> None:
    assert StateSettings().sqlite_path({}) == Path.home() / ".local/state/aitems-watcher/watcher.db"


@pytest.mark.parametrize(
    ("base", "folder"),
    [
        ("/srv/state", "/srv/state/aitems-watcher"),
        ("/", "/aitems-watcher"),
        ("", "/home/somebody/.local/state/aitems-watcher"),
        ("relative", "/home/somebody/.local/state/aitems-watcher"),
    ],
)
def test_the_folder_for_state_of_the_user_counts_where_it_is_absolute(base: str, folder: str) -> None:
    environ = {"XDG_STATE_HOME": base, "HOME": "/home/somebody"}
    assert StateSettings().sqlite_path(environ) == Path(folder) / "watcher.db"
    assert StateSettings().sqlite_path({**environ, "STATE_DIRECTORY": "/var/lib/x"}) == Path("/var/lib/x/watcher.db")
