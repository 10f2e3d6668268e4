"""Commands that read every list once find what a short page hides, however busy the account is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.support import Result, Run, runner
from tests.support import daemon_in_process
from watcher.simulator import Simulator, calls, serve
from watcher.simulator.calls import Call, CallKind, SimulatedAnswer

SERVICES = ("6wxgu1abcde", "6wxgu1abcdf", "6wxgu1abcdg", "6wxgu1abcdh")
VERSIONS = ("v1", "v2", "v3")
SHOWN = 2
"""The records that a page has, although its limit says more."""


def short_page(
    _call: Call, name: str, listed: Sequence[object], record_of: Callable[[object], object]
) -> SimulatedAnswer:
    """Return a page that is shorter than the limit that it names."""
    offset = calls._number(_call, "offset", 0)
    records = [record_of(item) for item in listed[offset : offset + SHOWN]]
    return SimulatedAnswer(200, {name: records, "offset": offset, "limit": 1000})


@dataclass(slots=True)
class Place:
    """An account whose lists continue behind short pages."""

    api: Simulator
    folder: Path
    run: Run

    async def command(self, *line: str) -> Result:
        """Run a command in a thread: the simulator is in this one."""
        return await asyncio.to_thread(self.run, *line, "--config", self.folder / "config.toml")


@pytest.fixture
async def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    for name, secret in daemon_in_process.ENVIRON.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setattr(calls, "_page", short_page)
    api = Simulator()
    for service in SERVICES:
        for version in VERSIONS:
            api.set_training(service, "pop", version, "learning")
    async with serve(api) as simulator:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {})
        text = text.replace("to = []", 'to = ["log"]') + '\n[receiver.log]\nkind = "log"\n'
        (tmp_path / "config.toml").write_text(text.replace("sqlite:///", f"sqlite:///{tmp_path}/"))
        yield Place(api, tmp_path, runner(capsys))


async def test_discover_lists_what_short_pages_hide(place: Place) -> None:
    ended = await place.command("discover")
    assert ended.status == 0
    assert [ended.out.count(f'version = "{version}"') for version in VERSIONS] == [len(SERVICES)] * len(VERSIONS)


async def test_check_online_counts_what_short_pages_hide(place: Place) -> None:
    ended = await place.command("check", "--online")
    assert ended.status == 0, ended.out + ended.err
    assert f"key accepted, {len(SERVICES)} services" in ended.out
    assert ended.out.count(f"list: {len(VERSIONS)} trainings") == len(SERVICES)


async def test_once_records_what_short_pages_hide(place: Place) -> None:
    assert (await place.command("once")).status == 0
    ended = await place.command("status", "--all", "--wide")
    assert [ended.out.count(f" {version} ") for version in VERSIONS] == [len(SERVICES)] * len(VERSIONS)
    assert place.api.requests.count(CallKind.LIST) >= 2 * len(SERVICES)
