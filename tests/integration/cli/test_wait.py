"""``wait`` beside a simulated AiTEMS: all exit statuses, alone and through the daemon."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.support import Result, Run, runner
from tests.support import daemon_in_process
from tests.support.daemon_in_process import eventually, running
from watcher import installed
from watcher.cli import wait_source
from watcher.cli.text.wait import Report
from watcher.cli.wait_view import WaitView
from watcher.simulator import Fault, Simulator, serve

SERVICE = "6wxgu1abcde"
WITH_AND_WITHOUT = pytest.mark.parametrize("place", ["alone", "daemon"], indirect=True)


@dataclass(slots=True)
class Place:
    """A folder with a configuration, the simulator that it names, and perhaps a daemon."""

    api: Simulator
    text: str
    folder: Path
    run: Run
    beside: str
    base_url: str
    reports: list[Report]

    def set(self, version: str, status: str) -> None:
        self.api.set_training(SERVICE, "pop", version, status)

    async def wait(self, line: str, *, config: bool = True) -> Result:
        """Run the command in a thread: simulator and daemon are in this process."""
        named = ("--config", self.folder / "config.toml") if config else ()
        return await asyncio.to_thread(self.run, "wait", *line.split(), *named)

    async def wait_while(self, line: str, *changes: tuple[str, Callable[[], object]]) -> Result:
        """Run the command; make each change after a report with the status or the problem before it."""
        self.reports.clear()
        waiting = asyncio.create_task(self.wait(line))
        for known, change in changes:
            await eventually(lambda known=known: waiting.done() or self._reported(known))  # type: ignore[misc]
            self.reports.clear()
            change()
        return await waiting

    def _reported(self, known: str) -> bool:
        return any(
            report["polled_at"] and known == (report["problem"] or {"cause": f"{report['status']}"})["cause"]
            for report in self.reports
        )


@pytest.fixture
async def place(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Place]:
    for name, secret in daemon_in_process.ENVIRON.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.delenv("AITEMS_WATCHER_CONFIG", raising=False)
    api = Simulator()
    api.set_training(SERVICE, "pop", "v1", "learning")
    beside = getattr(request, "param", "alone")
    async with serve(api) as simulator, AsyncExitStack() as stack:
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {"hook": "http://127.0.0.1:9/"})
        (tmp_path / "config.toml").write_text(text)
        if beside == "daemon":
            await stack.enter_async_context(running(tmp_path, text))
        place = Place(api, text, tmp_path, runner(capsys), beside, simulator.base_url, [])

        def note(view: WaitView, report: Report) -> None:
            place.reports.append(report)
            show(view, report)

        show = WaitView.report
        monkeypatch.setattr(WaitView, "report", note)
        yield place


@WITH_AND_WITHOUT
@pytest.mark.parametrize(
    ("last", "status"),
    [("completed", 0), ("learningFailed", 1), ("ready", 1)],
    ids=["completed", "failed", "stopped"],
)
async def test_the_exit_status_says_how_the_training_ended(place: Place, last: str, status: int) -> None:
    ended = await place.wait_while(f"{SERVICE} pop v1", ("learning", lambda: place.set("v1", last)))
    assert ended.status == status, ended
    assert f"{SERVICE} pop v1: learning" in ended.out


@pytest.mark.parametrize("place", ["daemon"], indirect=True)
async def test_after_an_upgrade_a_daemon_that_has_not_loaded_the_wait_refuses_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "_signature", lambda: None)
    monkeypatch.delitem(sys.modules, "watcher.pipeline.waiting.waiter", raising=False)
    ended = await place.wait(f"{SERVICE} pop v1 --timeout 5s")
    assert "restart it, e.g. systemctl restart aitems-watcher" in ended.err
    assert "watcher.pipeline.waiting.waiter" not in sys.modules


async def test_a_wait_that_takes_too_long_ends_with_2(place: Place) -> None:
    ended = await place.wait(f"{SERVICE} pop v1 --timeout 300ms")
    assert (ended.status, "timed out after" in ended.out) == (2, True), ended


async def test_beside_a_daemon_a_wait_makes_no_request_and_ends_at_its_time(place: Place) -> None:
    async with running(place.folder, place.text.replace('interval = "200ms"', 'interval = "1h"')):
        before = place.api.requests.total
        ended = await place.wait(f"{SERVICE} pop v1 --timeout 300ms")
        assert (ended.status, place.api.requests.total - before) == (2, 0), ended


async def requests_of_the_start(place: Place) -> int:
    """Wait until the daemon has asked for nothing for a while after its first polls; return their number."""
    before = 0
    while not before or before != place.api.requests.total:
        before = place.api.requests.total
        await asyncio.sleep(0.5)
    return before


async def test_an_idle_service_is_polled_once_more_for_a_wait_and_not_after_its_idle_interval(place: Place) -> None:
    place.set("v1", "completed")
    text = place.text.replace('idle_interval = "200ms"', 'idle_interval = "1h"')
    async with running(place.folder, text):
        before = await requests_of_the_start(place)
        ended = await place.wait(f"{SERVICE} pop latest")
        assert (ended.status, place.api.requests.total - before) == (0, 1), ended


async def test_a_wait_goes_on_by_itself_when_its_daemon_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_source, "RESTART_SECONDS", 0.1)
    monkeypatch.setattr(wait_source, "RETRY_SECONDS", 0.1)
    async with running(place.folder, place.text):
        waiting = asyncio.create_task(place.wait(f"{SERVICE} pop latest --timeout 20s"))
        await eventually(lambda: any(report["polled_at"] for report in place.reports))
    place.set("v1", "ready")
    ended = await waiting
    assert (ended.status, "stopped" in ended.out) == (1, True), ended
    assert "the daemon has not come back; polling without it" in ended.err


async def test_a_daemon_that_watches_another_service_leaves_the_wait_to_the_command(place: Place) -> None:
    place.api.set_training("another", "pop", "v1", "completed")
    async with running(place.folder, place.text):
        ended = await place.wait("another pop v1")
    assert ended.status == 0, ended
    assert "the daemon does not watch this training; polling without it" in ended.err


@WITH_AND_WITHOUT
async def test_a_key_that_aitems_rejects_ends_it_with_3_and_the_remedy(place: Place) -> None:
    place.api.add_fault(Fault(kind="401"))
    ended = await place.wait(f"{SERVICE} pop v1")
    assert ended.status == 3, ended
    assert "cannot poll: key: HTTP 401" in ended.err
    assert "Check that access_key and secret_key belong together" in ended.err


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("alone", f"{SERVICE} pop v9"),
        ("alone", "nosuch pop latest"),
        ("daemon", f"{SERVICE} pop latest --after v9"),
        ("daemon", "nosuch pop latest"),
    ],
    indirect=["place"],
)
async def test_a_service_or_version_that_does_not_exist_ends_it_with_3(place: Place, line: str) -> None:
    ended = await place.wait(line)
    assert (ended.status, "aitems-watcher discover" in ended.err or "cannot poll: not-found" in ended.err) == (3, True)


@WITH_AND_WITHOUT
async def test_after_waits_for_the_next_version_and_for_its_end(place: Place) -> None:
    place.set("v1", "completed")
    ended = await place.wait_while(
        f"{SERVICE} pop latest --after v1 --json",
        ("None", lambda: place.set("v2", "requesting")),
        ("requesting", lambda: place.set("v2", "completed")),
    )
    lines = [json.loads(line) for line in ended.out.splitlines() if line.startswith('{"event": "')]
    assert [(line["event"], line["version"], line["status"]) for line in lines if line["status"] != "learning"] == [
        ("waiting", None, None),
        ("status", "v2", "requesting"),
        ("status", "v2", "completed"),
        ("end", "v2", "completed"),
    ]
    assert (ended.status, lines[-1]["outcome"], lines[-1]["exit_status"]) == (0, "completed", 0)


@WITH_AND_WITHOUT
async def test_short_failures_are_said_once_and_end_nothing(place: Place) -> None:
    def fail() -> None:
        place.api.add_fault(Fault(kind="503", times=4))

    ended = await place.wait_while(
        f"{SERVICE} pop v1",
        ("learning", fail),
        ("server-error", lambda: None),
        ("learning", lambda: place.set("v1", "completed")),
    )
    assert ended.status == 0, ended
    assert ended.err.count("cannot poll: server-error") == 1
    assert ended.err.count("polling succeeds again") == 1


async def test_without_a_configuration_the_keys_of_the_environment_and_an_account_are_enough(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.set("v1", "completed")
    empty = place.folder / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    ended = await place.wait(f"{SERVICE} pop v1 --account ci --base-url {place.base_url}", config=False)
    assert ended.status == 0, ended
    assert list(empty.iterdir()) == []
    monkeypatch.delenv("NCP_SECRET_KEY")
    ended = await place.wait(f"{SERVICE} pop v1 --account ci --base-url {place.base_url}", config=False)
    assert (ended.status, "NCP_SECRET_KEY" in ended.err) == (3, True)


@pytest.mark.parametrize("line", ["svc pop", "svc pop v1 --after v0", "svc pop v1 --timeout soon"])
async def test_wrong_usage_ends_with_3_and_never_with_the_status_of_a_timeout(place: Place, line: str) -> None:
    assert (await place.wait(line)).status == 3


@pytest.mark.parametrize("place", ["daemon"], indirect=True)
async def test_beside_a_daemon_it_makes_no_request_of_its_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without its keys it could make none.
    monkeypatch.delenv("NCP_ACCESS_KEY")
    ended = await place.wait_while(f"{SERVICE} pop v1", ("learning", lambda: place.set("v1", "completed")))
    assert ended.status == 0, ended
