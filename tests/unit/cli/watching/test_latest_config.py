"""A command that goes on takes over a changed configuration, and keeps the old one while the new one is unusable."""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.cli.test_stats import CONFIG
from watcher.cli.watching.latest_config import LatestConfig
from watcher.config.usable_part import load_usable

ANOTHER = '\n[receiver.another]\nkind = "log"\n'


def written(path: Path, text: str, second: int) -> None:
    path.write_text(text)
    os.utime(path, (second, second))


def test_a_changed_file_is_read_again_and_an_unusable_one_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    written(path, CONFIG, 1)
    settings, _ = load_usable(path)
    latest = LatestConfig(settings, faulty=False)
    assert "another" not in latest()[0].receivers
    assert latest()[0] is latest()[0]
    written(path, CONFIG + ANOTHER, 2)
    assert "another" in latest()[0].receivers
    written(path, "[", 3)
    assert "another" in latest()[0].receivers
    path.unlink()
    assert "another" in latest()[0].receivers
    written(path, CONFIG, 4)
    assert "another" not in latest()[0].receivers


def test_of_a_file_that_was_faulty_from_the_first_the_usable_part_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    written(path, CONFIG + "[colour]\nx = 1\n", 1)
    latest = LatestConfig(load_usable(path)[0], faulty=True)
    assert latest()[1]
    written(path, CONFIG + ANOTHER + "[colour]\nx = 1\n", 2)
    settings, faulty = latest()
    assert ("another" in settings.receivers, faulty) == (True, True)
    written(path, CONFIG, 3)
    assert not latest()[1]
