"""The polls of a configuration are planned once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.paths import DATA
from watcher.config import Config, load
from watcher.config.to_core import polls_for, polls_of
from watcher.core.polling.plan import Poll

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


SEVERAL = """
[[watch]]
service = "first"
[[watch]]
service = "first"
type = "pop"
version = "v1"
[[watch]]
service = "second"
[[watch]]
service = "third*"
"""


def test_the_polls_of_one_service_are_its_own_and_those_that_may_discover_it(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL + SEVERAL)
    for name in ("first", "second", "third1"):
        service = replace(polls_of(config)[0].service, service=name)
        expected = [poll for poll in polls_of(config) if poll.discovers or poll.service == service]
        assert list(polls_for(config, service)) == expected
        assert any(poll.discovers for poll in expected)


def test_the_polls_of_one_service_are_found_without_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read(tmp_path, MINIMAL + SEVERAL)
    service = polls_of(config)[0].service
    monkeypatch.setattr(Poll, "discovers", property(lambda _poll: pytest.fail("each poll is looked at")))
    assert polls_for(config, service)
