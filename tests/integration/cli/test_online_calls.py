"""The calls of ``check --online``: one for the services of an account, however many checks need them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.cli.support import Result, Run, runner
from tests.support import daemon_in_process
from watcher.aitems.list_end import ListEnd
from watcher.simulator import Fault, Simulator, serve
from watcher.simulator.calls import CallKind
from watcher.wiring import online_checks

SERVICES = ("6wxgu1abcde", "6wxgu1abcdf", "6wxhu1abcdg")
PATTERNS = ("*", "6wxg*", "6wxh*")
UNKNOWN = ("7aaaaaaaaaa", "7aaaaaaaaab", "7aaaaaaaaac")
CASES = {
    "plain watches": (SERVICES, (1, 3), 0),
    "patterns": (PATTERNS, (1, 0), 0),
    "services that do not exist": (UNKNOWN, (1, 3), 1),
    "all of them": ((*SERVICES, *PATTERNS, *UNKNOWN), (1, 6), 1),
}
"""The watched services, the calls for services and for trainings, and the exit status, by case."""


@dataclass(slots=True)
class Place:
    """A folder with a configuration, and the simulator that it names."""

    api: Simulator
    base_url: str
    folder: Path
    run: Run

    async def check(self, services: tuple[str, ...]) -> Result:
        """Check these watches in a thread: the simulator is in this process."""
        text = daemon_in_process.settings(self.base_url, list(services), {})
        (self.folder / "config.toml").write_text(text.replace("to = []", 'to = ["log"]') + LOG)
        return await asyncio.to_thread(self.run, "check", "--online", "--config", self.folder / "config.toml")

    @property
    def calls(self) -> tuple[int, int]:
        """The calls that list services, and those that list trainings."""
        return self.api.requests.count(CallKind.SERVICES), self.api.requests.count(CallKind.LIST)


LOG = '\n[receiver.log]\nkind = "log"\n'


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
        yield Place(api, simulator.base_url, tmp_path, runner(capsys))


@pytest.mark.parametrize("case", sorted(CASES))
async def test_all_checks_of_an_account_share_one_list_of_services(place: Place, case: str) -> None:
    services, calls, status = CASES[case]
    ended = await place.check(services)
    assert (place.calls, ended.status) == (calls, status), ended.out + ended.err
    assert "key accepted, 3 services" in ended.out
    for pattern, matching in (("*", 3), ("6wxg*", 2), ("6wxh*", 1)):
        assert (f"matches {matching} of 3 services" in ended.out) == (pattern in services)


async def test_one_failed_list_of_services_is_the_result_of_each_check_that_needs_it(place: Place) -> None:
    place.api.add_fault(Fault(kind="500", call=CallKind.SERVICES, times=1))
    ended = await place.check((*PATTERNS, UNKNOWN[0]))
    assert (place.calls, ended.status) == ((1, 1), 1)
    assert ended.out.count("server-error") == 1 + len(PATTERNS)
    assert "refused" in ended.out, "nothing corroborates the 404"


async def test_a_list_of_services_that_comes_too_late_fails_each_check_that_needs_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_checks, "LONGEST_WAIT", timedelta(seconds=0.1))
    place.api.add_fault(Fault(kind="hang", call=CallKind.SERVICES))
    ended = await place.check(PATTERNS)
    assert ended.status == 1, ended.out + ended.err
    assert ended.out.count("not sent within") == 1
    assert ended.out.count("the same as account main") == len(PATTERNS)
