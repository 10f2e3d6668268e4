"""``status``, ``doctor`` and ``/readyz`` agree on the problems, whatever the fault is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.responses import PlainTextResponse

from tests.integration.cli.support import runner
from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher import config
from watcher.app import Daemon
from watcher.cli.commands.doctor_facts import local_checks
from watcher.cli.whole_status import read_report
from watcher.control import client
from watcher.control.socket_path import link_path
from watcher.core.secret import Secret
from watcher.reports.doctor import CheckVerdict
from watcher.reports.status import StatusReport
from watcher.reports.trainings import Selection
from watcher.simulator import Simulator, serve
from watcher.store import health_stats
from watcher.store.outbox import Outbox
from watcher.store.sqlite.write_health import WriteHealth

SERVICE = "6wxgu1abcde"


@dataclass(slots=True)
class Place:
    """A watcher with a webhook that refuses on demand, and a second one that works."""

    folder: Path
    api: Simulator
    text: str
    hook: Inbox

    @property
    def config(self) -> config.Config:
        return config.load(self.folder / "config.toml", text=self.text)

    def running(self) -> Any:
        return daemon_in_process.running(self.folder, self.text)

    def report(self) -> StatusReport:
        return read_report(self.config, Selection())

    def codes(self) -> list[str]:
        return [problem.code.value for problem in self.report().problems]

    def faults_of_doctor(self) -> list[str]:
        checks = local_checks(self.config, os.environ, lambda _: Secret("a secret of this test"))
        return [check.about for check in checks if check.verdict is CheckVerdict.FAULT]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    api = Simulator()
    api.set_training(SERVICE, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook, listening(Inbox()) as other:
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {"hook": hook.url, "other": other.url})
        (tmp_path / "config.toml").write_text(text)
        yield Place(tmp_path, api, text, hook)


async def agreed(place: Place, daemon: Daemon, code: str) -> list[str]:
    """Wait until all three name the problem; return the reasons of ``/readyz``."""
    async with asyncio.timeout(20):
        while code not in (reasons := [reason.code.value for reason in await daemon.health_endpoints.reasons()]):
            await asyncio.sleep(0.1)
    codes = await asyncio.to_thread(place.codes)
    faults = await asyncio.to_thread(place.faults_of_doctor)
    assert code in codes
    assert [fault for fault in faults if fault in codes] == codes
    return reasons


async def test_while_everything_works_none_of_them_names_a_problem(place: Place) -> None:
    async with place.running() as daemon:
        assert await asyncio.to_thread(place.codes) == []
        assert await asyncio.to_thread(place.faults_of_doctor) == []
        assert list(await daemon.health_endpoints.reasons()) == []


async def test_a_parked_receiver_is_a_problem_for_all_of_them_although_another_announced_it(place: Place) -> None:
    place.hook.script = lambda _received: PlainTextResponse("gone", status_code=410)
    async with place.running() as daemon:
        place.api.set_training(SERVICE, "pop", "v1", "completed")
        await agreed(place, daemon, "receiver-failing")


async def test_an_event_that_cannot_be_routed_is_a_problem_for_all_of_them(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = runner(capsys), place.folder / "config.toml"
    refused = mock.patch.object(Outbox, "enqueue", side_effect=RuntimeError('near "RETURNING": syntax error'))
    soon = mock.patch.object(health_stats, "ROUTING", timedelta(milliseconds=100))
    async with place.running() as daemon:
        with refused, soon:
            place.api.set_training(SERVICE, "pop", "v1", "completed")
            await agreed(place, daemon, "events-unrouted")
            tested = await asyncio.to_thread(run, "test", "other", "--config", file)
            checked = await asyncio.to_thread(run, "check", "--config", file)
            assert (tested.status, checked.status) == (1, 0), "check judges the file, and test the way of an alert"
            assert "daemon: 1 event is not routed, so nobody is notified" in tested.out
            assert "receiver other: delivered" in tested.out
        daemon.pipeline.router.wake.tick()
        async with asyncio.timeout(20):
            while await asyncio.to_thread(place.codes):
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("cause", ["disk-full", "locked"])
async def test_a_store_that_cannot_be_written_is_a_problem_for_all_of_them(place: Place, cause: str) -> None:
    fails = mock.patch.object(WriteHealth, "fault", return_value=cause)
    # Without it the real store recovers within a second, while the commands ask.
    continues = mock.patch.object(WriteHealth, "recovered", return_value=False)
    async with place.running() as daemon:
        with fails, continues:
            assert await agreed(place, daemon, "store-failing") == ["store-failing"]
            assert cause in (await asyncio.to_thread(place.report)).problems[0].text


async def test_a_loop_that_hangs_is_a_problem_for_all_of_them(place: Place) -> None:
    late = {"routing": 50.0}
    async with place.running() as daemon:
        with mock.patch("watcher.core.health.liveness.LoopMonitor.late", return_value=late):
            assert await agreed(place, daemon, "loop-late") == ["loop-late"]


async def test_after_the_end_of_the_daemon_that_is_the_first_problem(place: Place) -> None:
    place.hook.script = lambda _received: PlainTextResponse("gone", status_code=410)
    async with place.running() as daemon:
        place.api.set_training(SERVICE, "pop", "v1", "completed")
        await agreed(place, daemon, "receiver-failing")
    assert place.codes() == ["no-daemon", "receiver-failing"]
    assert "the latest answer of AiTEMS is " in place.report().problems[0].text
    assert place.faults_of_doctor() == ["no-daemon", "receiver-failing"], "each problem is named once"


async def test_without_a_daemon_a_full_or_read_only_disk_is_a_problem_too(place: Place) -> None:
    async with place.running():
        pass
    disk = os.statvfs(place.folder)
    for position, value in ((4, 0), (8, os.ST_RDONLY)):
        values = [*disk]
        values[position] = value
        with mock.patch("os.statvfs", return_value=os.statvfs_result(values)):
            assert place.codes() == ["no-daemon", "store-failing"]


async def test_a_daemon_whose_socket_was_removed_is_not_taken_for_a_dead_one(place: Place) -> None:
    async with place.running():
        link_path(place.folder / "watcher.db").unlink()
        with mock.patch("watcher.store.sqlite.lock.DAEMON", "test"):
            (problem,) = (await asyncio.to_thread(place.report)).problems
    assert problem.code == "daemon-silent"
    assert f"process {os.getpid()} " in problem.text


@contextmanager
def silent_socket(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield


async def test_a_daemon_that_hangs_is_a_problem_after_a_bounded_wait(place: Place) -> None:
    async with place.running():
        pass
    with (
        silent_socket(link_path(place.folder / "watcher.db")),
        mock.patch.object(client, "PROMPT_SECONDS", 0.05),
    ):
        assert place.codes() == ["daemon-silent"]
        assert place.faults_of_doctor() == ["daemon-silent"]


@contextmanager
def taken(host: str) -> Iterator[str]:
    """Yield an address of this host that another program has."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as other:
        port = other.getsockname()[1]
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def of_another_machine() -> Iterator[str]:
    # Reserved for documentation, so no machine has it: RFC 5737.
    yield "192.0.2.1:18787"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (taken("127.0.0.1"), "Address already in use"),
        (taken("::1"), "Address already in use"),
        (of_another_machine(), "Cannot assign requested address"),
    ],
    ids=["in use", "in use, IPv6", "of another machine"],
)
async def test_web_pages_that_cannot_be_served_are_a_problem_but_no_reason_to_be_unready(
    place: Place, address: AbstractContextManager[str], reason: str
) -> None:
    with address as listen:
        place.text = place.text.replace(
            '[web]\nlisten = ""', f"""[web]\nlisten = "{listen}"\ntoken = {{ env = "NCP_ACCESS_KEY" }}"""
        )
        async with place.running() as daemon:
            async with asyncio.timeout(20):
                while not daemon.health_endpoints.problems():
                    await asyncio.sleep(0.02)
            (problem,) = (await asyncio.to_thread(place.report)).problems
            assert await asyncio.to_thread(place.faults_of_doctor) == ["web-not-listening"]
            assert list(await daemon.health_endpoints.reasons()) == []
    assert problem.code == "web-not-listening"
    assert listen.rpartition(":")[0].strip("[]") in problem.text
    assert problem.text.endswith(reason)
