"""After an upgrade of the installed files, a part that was not loaded before is refused instead of being mixed."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from tests.integration.web.invented_store import ask
from watcher import installed
from watcher.installed import UpgradedError, require_loadable
from watcher.web.pages import Later

PARTS = "watcher.of.another.version"


def test_a_part_is_loaded_late_while_the_files_are_those_of_the_start() -> None:
    require_loadable(PARTS)


@pytest.mark.parametrize("signature", [(1, 2, 3), None])
def test_after_an_upgrade_only_what_is_loaded_goes_on(
    monkeypatch: pytest.MonkeyPatch, signature: tuple[int, int, int] | None
) -> None:
    monkeypatch.setattr(installed, "_signature", lambda: signature)
    require_loadable("watcher.installed")
    with pytest.raises(UpgradedError, match="restart it"):
        require_loadable(PARTS)


def refused() -> tuple[()]:
    raise UpgradedError


async def test_a_page_that_cannot_be_loaded_any_more_says_what_to_do() -> None:
    app = Later(refused)
    for _ in range(2):
        answer = await ask(app, "/")
        assert (answer.status, b"restart it" in answer.body) == (HTTPStatus.SERVICE_UNAVAILABLE, True)
    problem = await ask(app, "/api/v1/status")
    assert json.loads(problem.body)["code"] == "upgraded"
