"""The daemon's health, metrics and heartbeat, seen from outside."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from jinja2 import Environment
from starlette.responses import PlainTextResponse, RedirectResponse

from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.control.protocol import ControlError
from watcher.simulator import Fault, Simulator, serve
from watcher.store import health_stats
from watcher.store.outbox import Outbox
from watcher.wiring.reload import ReloadOutcome

SERVICE = "6wxgu1abcde"
NO_WEB = '[web]\nlisten = ""\n'
WEB = '[web]\nlisten = "127.0.0.1:0"\n'
SAMPLE = re.compile(r"^(aitems_watcher_\w+)(\{.*\})? (\S+)$", re.MULTILINE)
PROMTOOL = shutil.which("promtool")


@dataclass(slots=True)
class ExternalServices:
    """A simulated AiTEMS, a webhook, and a server for heartbeats."""

    folder: Path
    api: Simulator
    base_url: str
    hook: Inbox
    heartbeats: Inbox = field(default_factory=Inbox)

    def show(self, status: str, version: str = "v1") -> None:
        self.api.set_training(SERVICE, "pop", version, status)

    def settings(self) -> str:
        text = daemon_in_process.settings(self.base_url, [SERVICE], {"hook": self.hook.url}).replace(NO_WEB, WEB)
        return f'{text}\n[heartbeat]\nurl = {{ env = "BEAT_URL" }}\nevery = "1s"\n'

    def running(self, text: str | None = None) -> AbstractAsyncContextManager[Daemon]:
        environ = {"BEAT_URL": self.heartbeats.url}
        return daemon_in_process.running(self.folder, text or self.settings(), environ)


@pytest.fixture
async def external(tmp_path: Path) -> AsyncIterator[ExternalServices]:
    api = Simulator()
    api.set_training(SERVICE, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook, listening(Inbox()) as heartbeats:
        yield ExternalServices(tmp_path, api, simulator.base_url, hook, heartbeats)


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
    """Return the metrics once they have these series, or no longer have them."""
    async with asyncio.timeout(30):
        while True:
            found = await metrics(daemon)
            if all((series in found) is not absent for series in wanted):
                return found
            await asyncio.sleep(0.1)


IN_PROGRESS = (
    f'aitems_watcher_training_in_progress{{account="main",service="{SERVICE}",status="%s",type="pop",version="v1"}}'
)


async def test_the_metrics_show_the_work_of_the_stages(external: ExternalServices) -> None:
    async with external.running() as daemon:
        await until(daemon, IN_PROGRESS % "learning")
        external.show("stopping")
        await until(daemon, IN_PROGRESS % "stopping")
        await until(daemon, IN_PROGRESS % "learning", absent=True)
        external.show("completed")
        found = await until(daemon, 'aitems_watcher_events_total{kind="succeeded"}')
        await until(daemon, IN_PROGRESS % "stopping", absent=True)
        delivered = 'aitems_watcher_delivery_attempts_total{reason="delivered",receiver="hook",state="delivered"}'
        found = await until(daemon, delivered)
    assert found['aitems_watcher_polls_total{account="main",call="list",outcome="seen"}'] >= 3
    assert found['aitems_watcher_requests_total{account="main"}'] >= 3
    assert found['aitems_watcher_requests_allowed_per_second{account="main"}'] == 100.0
    assert found['aitems_watcher_detection_delay_seconds_count{late="false"}'] == 2
    run = f'aitems_watcher_runs_total{{account="main",outcome="completed",service="{SERVICE}",type="pop"}}'
    assert found[run] == 1
    assert found["aitems_watcher_poll_lateness_seconds_count"] >= 3
    assert found["aitems_watcher_store_bytes"] > 4096
    assert found["aitems_watcher_config_last_reload_successful"] == 1
    for loop in ("polling", "recording", "routing"):
        assert f'aitems_watcher_loop_age_seconds{{loop="{loop}"}}' in found


async def test_the_metrics_show_an_outage_by_its_cause_and_an_announced_outage_keeps_the_daemon_ready(
    external: ExternalServices,
) -> None:
    text = external.settings() + '\n[incident]\nafter_failures = 2\nafter = "100ms"\n'
    async with external.running(text) as daemon:
        assert await ask(daemon, "/readyz") == (200, '{"ready":true,"reasons":[]}')
        external.api.add_fault(Fault(kind="500"))
        found = await until(daemon, 'aitems_watcher_incidents_open{cause="server-error"}')
        assert found['aitems_watcher_polls_total{account="main",call="list",outcome="server-error"}'] >= 2
        assert (await ask(daemon, "/readyz"))[0] == 200
        before = len(external.heartbeats.received)
        await daemon_in_process.eventually(lambda: len(external.heartbeats.received) > before)


async def test_an_unreadable_store_makes_the_daemon_not_ready_and_withholds_the_heartbeat(
    external: ExternalServices,
) -> None:
    async with external.running() as daemon:
        await daemon_in_process.eventually(lambda: bool(external.heartbeats.received))
        file = external.folder / "watcher.db"
        file.rename(external.folder / "elsewhere.db")
        reason = {"reason": "none yet"}
        async with asyncio.timeout(20):
            # The write may find it before the next reading does.
            while reason["reason"] != "store-unreadable":
                status, body = await ask(daemon, "/readyz")
                if status == 503:
                    (reason,) = json.loads(body)["reasons"]
                    assert reason["detail"].endswith(("; see the log", ": store-removed"))
                await asyncio.sleep(0.1)
        withheld = await until(daemon, 'aitems_watcher_heartbeats_total{outcome="withheld"}')
        assert withheld['aitems_watcher_not_ready{reason="store-unreadable"}'] == 1
        assert withheld["aitems_watcher_ready"] == 0
        (external.folder / "elsewhere.db").rename(file)
        before = len(external.heartbeats.received)
        await daemon_in_process.eventually(lambda: len(external.heartbeats.received) > before)
        assert (await ask(daemon, "/readyz"))[0] == 200


async def test_a_failing_receiver_that_no_other_receiver_announces_makes_the_daemon_not_ready(
    external: ExternalServices,
) -> None:
    external.hook.script = lambda _received: PlainTextResponse("gone", status_code=410)
    async with external.running() as daemon:
        external.show("completed")
        reasons: list[str] = []
        async with asyncio.timeout(20):
            # The failure is recorded a moment before the attempt to announce it.
            while reasons != ["receiver-failing", "problem-unannounced"]:
                reasons = [reason["reason"] for reason in json.loads((await ask(daemon, "/readyz"))[1])["reasons"]]
                await asyncio.sleep(0.1)
        await until(daemon, 'aitems_watcher_heartbeats_total{outcome="withheld"}')


async def test_events_that_cannot_be_routed_make_the_daemon_not_ready_and_withhold_the_heartbeat(
    external: ExternalServices,
) -> None:
    soon = mock.patch.object(health_stats, "ROUTING", timedelta(milliseconds=100))
    async with external.running() as daemon:
        with soon, mock.patch.object(Outbox, "enqueue", side_effect=RuntimeError('near "RETURNING": syntax error')):
            external.show("completed")
            found = await until(daemon, 'aitems_watcher_heartbeats_total{outcome="withheld"}')
        assert found['aitems_watcher_not_ready{reason="events-unrouted"}'] == 1
        assert found["aitems_watcher_events_unrouted"] == 1


async def test_the_metrics_show_whether_the_last_reload_was_applied(external: ExternalServices) -> None:
    good, file = external.settings(), external.folder / "config.toml"
    last, allowed = "aitems_watcher_config_last_reload_successful", "aitems_watcher_requests_allowed_per_second"
    async with external.running(good) as daemon:
        file.write_text(good + "[")
        assert (await daemon.reloader.reload()).outcome is ReloadOutcome.REFUSED
        assert (await metrics(daemon))[last] == 0
        file.write_text(good.replace("requests_per_second = 100.0", "requests_per_second = 50.0"))
        assert (await daemon.reloader.reload()).outcome is ReloadOutcome.RELOADED
        found = await metrics(daemon)
        assert (found[last], found[f'{allowed}{{account="main"}}']) == (1, 50.0)
        daemon.reloader.stop()
        with pytest.raises(ControlError, match="is stopping"):
            await daemon.reloader.reload()
        assert (await metrics(daemon))[last] == 0


async def test_the_heartbeat_follows_no_redirect(external: ExternalServices) -> None:
    external.heartbeats.script = lambda _received: RedirectResponse(external.hook.url)
    async with external.running() as daemon:
        await until(daemon, 'aitems_watcher_heartbeats_total{outcome="failed"}')
        assert external.hook.received == []
        external.heartbeats.script = lambda _received: PlainTextResponse("ok")
        await until(daemon, 'aitems_watcher_heartbeats_total{outcome="sent"}')


async def test_promtool_accepts_the_metrics(external: ExternalServices) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    async with external.running() as daemon:
        await until(daemon, IN_PROGRESS % "learning")
        _, text = await ask(daemon, "/metrics")
    checked = await asyncio.to_thread(
        subprocess.run, [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def status_of(request: Request) -> int:
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - the test's own address
            return int(answer.status)
    except HTTPError as error:
        return error.code


async def test_without_a_token_only_local_host_names_are_accepted(external: ExternalServices) -> None:
    async with external.running(external.settings().partition("\n[heartbeat]")[0]) as daemon:
        await daemon_in_process.eventually(
            lambda: daemon.health_endpoints.listener is not None and daemon.health_endpoints.listener.port is not None
        )
        assert daemon.health_endpoints.listener is not None
        address = f"http://127.0.0.1:{daemon.health_endpoints.listener.port}/metrics"
        for host, status in (("localhost", 200), ("rebound.example", 400)):
            assert await asyncio.to_thread(status_of, Request(address, headers={"Host": host})) == status


async def test_no_template_is_compiled_in_the_event_loop(
    external: ExternalServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, compiled = set[str](), Environment.compile

    def noted(environment: Environment, *given: Any, **options: Any) -> Any:
        threads.add(threading.current_thread().name)
        return compiled(environment, *given, **options)

    monkeypatch.setattr(Environment, "compile", noted)
    async with external.running() as daemon:
        for path in ("/", f"/service/main/{SERVICE}", "/services", "/deliveries", "/silences"):
            await ask(daemon, path)
    assert threads
    assert threading.main_thread().name not in threads
