"""The polls of a configuration are planned once."""

from __future__ import annotations

from pathlib import Path

from tests.support.paths import DATA
from watcher.config import Config, load
from watcher.config.to_core import polls_of

MINIMAL = (DATA / "config" / "good" / "minimal.toml").read_text()


def read(folder: Path, text: str) -> Config:
    (folder / "config.toml").write_text(text)
    return load(folder / "config.toml")


def test_the_polls_of_one_configuration_are_planned_once(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL)
    assert polls_of(config) is polls_of(config)


def test_another_configuration_has_polls_of_its_own(tmp_path: Path) -> None:
    earlier = read(tmp_path, MINIMAL)
    later = read(tmp_path, MINIMAL + '[[watch]]\nservice = "another"\n')
    assert len(polls_of(later)) == len(polls_of(earlier)) + 1
    assert len(polls_of(earlier)) == len(polls_of(read(tmp_path, MINIMAL)))
