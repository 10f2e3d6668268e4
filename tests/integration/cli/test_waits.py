"""A command whose calls wait for the budget of their account says so, alone and inside the daemon."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.support import Result, Run, runner
from tests.support import daemon_in_process
from watcher.simulator import Fault, Simulator, serve
from watcher.wiring import budget_waits

SERVICES = ("6wxgu1abcde", "6wxgu1abcdf")
CAUSES = {"429-quota": "quota", "429-throttle": "throttle", "503": "server-error"}


WAIT = re.compile(r"^account main: \d calls? waits? \ds: AiTEMS answered (\S+), so the account pauses$", re.MULTILINE)


def waits(ended: Result) -> list[str]:
    """Return the cause of each wait that the command named."""
    return WAIT.findall(ended.err)


@dataclass(slots=True)
class Place:
    """A folder with a configuration, and the simulator that it polls."""

    api: Simulator
    text: str
    folder: Path
    run: Run

    async def command(self, line: str) -> Result:
        """Run a command in a thread: simulator and daemon are in this process."""
        return await asyncio.to_thread(self.run, *line.split(), "--config", self.folder / "config.toml")

    def refuse_one(self, kind: str) -> None:
        self.api.add_fault(Fault(kind=kind, times=1, retry_after="2"))

    def write(self, text: str) -> None:
        self.text = text
        (self.folder / "config.toml").write_text(text)


@pytest.fixture
async def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    for name, secret in daemon_in_process.ENVIRON.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setattr(budget_waits, "NOTICEABLE_SECONDS", 0.3)
    monkeypatch.setattr(budget_waits, "PAUSE_SECONDS", 0.02)
    api = Simulator()
    for service in SERVICES:
        api.set_training(service, "pop", "v1", "learning")
    async with serve(api) as simulator:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": "http://127.0.0.1:9/"})
        made = Place(api, text, tmp_path, runner(capsys))
        made.write(text.replace('interval = "200ms"', 'interval = "1h"'))
        yield made


@pytest.mark.parametrize("kind", sorted(CAUSES))
async def test_an_online_check_says_that_it_waits_how_long_and_why(place: Place, kind: str) -> None:
    place.refuse_one(kind)
    ended = await place.command("check --online")
    assert waits(ended) == [CAUSES[kind]], (ended.err, ended.out)
    assert sum("  ok  " in line for line in ended.out.splitlines()) == 2


async def test_calls_that_only_the_rate_holds_back_are_named_too(place: Place) -> None:
    place.write(place.text.replace("requests_per_second = 100.0", "requests_per_second = 3.0"))
    assert "the account's requests_per_second allows no more" in (await place.command("discover")).err


async def test_inside_the_daemon_its_budget_holds_the_calls_back_and_is_named(place: Place) -> None:
    async with daemon_in_process.running(place.folder, place.text):
        place.refuse_one("429-quota")
        ended = await place.command("check --online")
    assert "inside the daemon" in ended.err
    assert waits(ended) == ["quota"]


async def test_calls_that_do_not_wait_are_not_mentioned(place: Place) -> None:
    for command in ("check --online", "discover"):
        assert " wait" not in (await place.command(command)).err
