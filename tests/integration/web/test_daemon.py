"""The daemon as its health and metrics show it, and as the one sees it who waits for its heartbeat."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse

from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.simulator import Fault, Simulator, serve

SERVICE = "6wxgu1abcde"
NO_WEB = '[web]\nlisten = ""\n'
WEB = '[web]\nlisten = "127.0.0.1:0"\n'
SAMPLE = re.compile(r"^(aitems_watcher_\w+)(\{.*\})? (\S+)$", re.MULTILINE)
PROMTOOL = shutil.which("promtool")


@dataclass(slots=True)
class ReloadScenario:
    """A simulated AiTEMS, a webhook, and what waits for heartbeats."""

    folder: Path
    api: Simulator
    base_url: str
    hook: Inbox
    hub: Inbox = field(default_factory=Inbox)

    def show(self, status: str, version: str = "v1") -> None:
        self.api.set_training(SERVICE, "pop", version, status)

    def settings(self) -> str:
        text = daemon_in_process.settings(self.base_url, [SERVICE], {"hook": self.hook.url}).replace(NO_WEB, WEB)
        return f'{text}\n[heartbeat]\nurl = {{ env = "BEAT_URL" }}\nevery = "1s"\n'


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    api = Simulator()
    api.set_training(SERVICE, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook, listening(Inbox()) as hub:
        yield ReloadScenario(tmp_path, api, simulator.base_url, hook, hub)


async def ask(daemon: Daemon, path: str) -> tuple[int, str]:
    def fetch() -> tuple[int, str]:
        assert daemon.health_endpoints.listener is not None
        try:
            with urlopen(f"http://127.0.0.1:{daemon.health_endpoints.listener.port}{path}") as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(fetch)


async def metrics(daemon: Daemon) -> dict[str, float]:
    status, text = await ask(daemon, "/metrics")
    assert status == 200
    return {name + labels: float(value) for name, labels, value in SAMPLE.findall(text)}


async def until(daemon: Daemon, *wanted: str, absent: bool = False) -> dict[str, float]:
    """Return the metrics once these series stand in them, or no longer do."""
    async with asyncio.timeout(30):
        while True:
            found = await metrics(daemon)
            if all((series in found) is not absent for series in wanted):
                return found
            await asyncio.sleep(0.1)


IN_PROGRESS = (
    f'aitems_watcher_training_in_progress{{account="main",service="{SERVICE}",status="%s",type="pop",version="v1"}}'
)


async def test_what_the_stages_do_shows_in_the_metrics(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings(), {"BEAT_URL": scene.hub.url}) as daemon:
        await until(daemon, IN_PROGRESS % "learning")
        scene.show("stopping")
        await until(daemon, IN_PROGRESS % "stopping")
        await until(daemon, IN_PROGRESS % "learning", absent=True)
        scene.show("completed")
        found = await until(daemon, 'aitems_watcher_events_total{kind="succeeded"}')
        await until(daemon, IN_PROGRESS % "stopping", absent=True)
        delivered = 'aitems_watcher_delivery_attempts_total{reason="delivered",receiver="hook",state="delivered"}'
        found = await until(daemon, delivered)
    assert found['aitems_watcher_looks_total{account="main",call="list",outcome="seen"}'] >= 3
    assert found['aitems_watcher_requests_total{account="main"}'] >= 3
    assert found['aitems_watcher_requests_allowed_per_second{account="main"}'] == 100.0
    assert found['aitems_watcher_detection_delay_seconds_count{late="false"}'] == 2
    assert found["aitems_watcher_look_lateness_seconds_count"] >= 3
    assert found["aitems_watcher_store_bytes"] > 4096
    assert found["aitems_watcher_config_last_reload_successful"] == 1
    for loop in ("polling", "recording", "routing"):
        assert f'aitems_watcher_loop_age_seconds{{loop="{loop}"}}' in found


async def test_what_cannot_be_seen_shows_by_its_cause_and_an_outage_that_was_announced_keeps_it_ready(
    scene: ReloadScenario,
) -> None:
    text = scene.settings() + '\n[incident]\nafter_failures = 2\nafter = "100ms"\n'
    async with daemon_in_process.running(scene.folder, text, {"BEAT_URL": scene.hub.url}) as daemon:
        assert await ask(daemon, "/readyz") == (200, '{"ready":true,"reasons":[]}')
        scene.api.add_fault(Fault(kind="500"))
        found = await until(daemon, 'aitems_watcher_incidents_open{cause="server-error"}')
        assert found['aitems_watcher_looks_total{account="main",call="list",outcome="server-error"}'] >= 2
        assert (await ask(daemon, "/readyz"))[0] == 200
        deadlines = len(scene.hub.received)
        await daemon_in_process.eventually(lambda: len(scene.hub.received) > deadlines)


async def test_a_store_that_cannot_be_read_is_a_reason_and_withholds_the_heartbeat(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings(), {"BEAT_URL": scene.hub.url}) as daemon:
        await daemon_in_process.eventually(lambda: bool(scene.hub.received))
        file = scene.folder / "watcher.db"
        file.rename(scene.folder / "elsewhere.db")
        async with asyncio.timeout(20):
            while (answer := await ask(daemon, "/readyz"))[0] == 200:
                await asyncio.sleep(0.1)
        (reason,) = json.loads(answer[1])["reasons"]
        assert (answer[0], reason["reason"]) == (503, "store-unreadable")
        withheld = await until(daemon, 'aitems_watcher_heartbeats_total{outcome="withheld"}')
        assert withheld['aitems_watcher_unwell{reason="store-unreadable"}'] == 1
        assert withheld["aitems_watcher_ready"] == 0
        (scene.folder / "elsewhere.db").rename(file)
        deadlines = len(scene.hub.received)
        await daemon_in_process.eventually(lambda: len(scene.hub.received) > deadlines)
        assert (await ask(daemon, "/readyz"))[0] == 200


async def test_a_refusing_receiver_that_nobody_else_could_announce_of_is_a_reason_until_it_is_recovered(
    scene: ReloadScenario,
) -> None:
    scene.hook.script = lambda _received: PlainTextResponse("gone", status_code=410)
    async with daemon_in_process.running(scene.folder, scene.settings(), {"BEAT_URL": scene.hub.url}) as daemon:
        scene.show("completed")
        async with asyncio.timeout(20):
            while (answer := await ask(daemon, "/readyz"))[0] == 200:
                await asyncio.sleep(0.1)
        assert [reason["reason"] for reason in json.loads(answer[1])["reasons"]] == ["problem-unannounced"]
        await until(daemon, 'aitems_watcher_heartbeats_total{outcome="withheld"}')


async def test_the_heartbeat_follows_no_redirect(scene: ReloadScenario) -> None:
    scene.hub.script = lambda _received: RedirectResponse(scene.hook.url)
    async with daemon_in_process.running(scene.folder, scene.settings(), {"BEAT_URL": scene.hub.url}) as daemon:
        await until(daemon, 'aitems_watcher_heartbeats_total{outcome="failed"}')
        assert scene.hook.received == []
        scene.hub.script = lambda _received: PlainTextResponse("ok")
        await until(daemon, 'aitems_watcher_heartbeats_total{outcome="sent"}')


async def test_promtool_takes_the_metrics(scene: ReloadScenario) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    async with daemon_in_process.running(scene.folder, scene.settings(), {"BEAT_URL": scene.hub.url}) as daemon:
        await until(daemon, IN_PROGRESS % "learning")
        _, text = await ask(daemon, "/metrics")
    checked = await asyncio.to_thread(
        subprocess.run, [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def status_of(request: Request) -> int:
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - an address of ours
            return int(answer.status)
    except HTTPError as error:
        return error.code


async def test_without_a_token_only_this_machines_own_names_are_answered(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings().partition("\n[heartbeat]")[0]) as daemon:
        await daemon_in_process.eventually(
            lambda: daemon.health_endpoints.listener is not None and daemon.health_endpoints.listener.port is not None
        )
        assert daemon.health_endpoints.listener is not None
        address = f"http://127.0.0.1:{daemon.health_endpoints.listener.port}/metrics"
        for host, status in (("localhost", 200), ("rebound.example", 400)):
            assert await asyncio.to_thread(status_of, Request(address, headers={"Host": host})) == status
