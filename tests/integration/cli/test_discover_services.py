"""``discover --services-only``: one call an account, with and without a daemon."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.support import Result, Run, runner
from tests.support import daemon_in_process
from watcher.aitems.list_end import ListEnd
from watcher.simulator import Fault, Simulator, serve
from watcher.simulator.calls import CallKind

SERVICES = ("6wxgu1abcde", "6wxgu1abcdf", "6wxgu1abcdg")


@dataclass(slots=True)
class Place:
    """An account with three services and a training in each."""

    api: Simulator
    folder: Path
    text: str
    run: Run

    async def discover(self, *options: str) -> Result:
        """Run the command in a thread; count only its own calls."""
        self.api.requests.reset()
        return await asyncio.to_thread(self.run, "discover", *options, "--config", self.folder / "config.toml")

    @property
    def calls(self) -> tuple[int, int]:
        """The calls that list services, and those that list trainings."""
        return self.api.requests.count(CallKind.SERVICES), self.api.requests.count(CallKind.LIST)


@pytest.fixture
async def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    for name, secret in daemon_in_process.ENVIRON.items():
        monkeypatch.setenv(name, secret)
    # Without the requests behind short pages, the calls of the command itself are counted.
    monkeypatch.setattr(ListEnd, "is_known", lambda _end, _records: True)
    api = Simulator()
    for service in SERVICES:
        api.set_training(service, "pop", "v1", "learning")
    async with serve(api) as simulator:
        text = daemon_in_process.settings(simulator.base_url, [SERVICES[0]], {"hook": "http://127.0.0.1:9/"})
        text = text.replace('interval = "200ms"', 'interval = "1h"')
        (tmp_path / "config.toml").write_text(text)
        yield Place(api, tmp_path, text, runner(capsys))


async def test_services_alone_are_one_call_and_have_no_trainings(place: Place) -> None:
    ended = await place.discover("--services-only")
    assert (ended.status, place.calls) == (0, (1, 0))
    assert [watch["service"] for watch in tomllib.loads(ended.out)["watch"]] == list(SERVICES)
    assert "v1" not in ended.out


async def test_without_the_option_each_service_is_one_more_call(place: Place) -> None:
    ended = await place.discover()
    assert (ended.status, place.calls) == (0, (1, 3))
    assert ended.out.count('version = "v1"') == 3


async def test_json_has_the_services_with_empty_lists(place: Place) -> None:
    ended = await place.discover("--services-only", "--json")
    (account,) = json.loads(ended.out)["accounts"]
    assert place.calls == (1, 0)
    assert [(service["service"], service["trainings"]) for service in account["services"]] == [
        (service, []) for service in SERVICES
    ]


async def test_a_daemon_makes_the_one_call(place: Place) -> None:
    async with daemon_in_process.running(place.folder, place.text):
        ended = await place.discover("--services-only")
        assert place.calls == (1, 0)
    assert "inside the daemon" in ended.err
    assert "v1" not in ended.out


async def test_a_failed_call_ends_with_its_cause(place: Place) -> None:
    place.api.add_fault(Fault(kind="401-permission"))
    ended = await place.discover("--services-only")
    assert (ended.status, ended.out) == (1, "")
    assert "permission" in ended.err
