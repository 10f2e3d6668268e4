"""R20: a reload applies a new configuration, all of it or none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from tests.support import daemon_in_process
from tests.support.reload_scenario import FIRST, SECOND, ReloadScenario, open_scenario, reload
from tests.support.servers import Inbox, Received, listening
from watcher import installed


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    async with open_scenario(tmp_path) as made:
        yield made


async def test_an_added_watch_is_polled_and_a_removed_one_is_not(scenario: ReloadScenario) -> None:
    async with scenario.running(scenario.text(FIRST)) as daemon:
        scenario.write(scenario.text(SECOND))
        answer = await reload(daemon)
        assert "account.main.access_key (env NCP_ACCESS_KEY)" in answer["secrets_of_start"]  # type: ignore[operator]
        assert answer["changes"] == [f"watch main {SECOND}: added", f"watch main {FIRST}: removed"]
        await scenario.wait_for_polls(SECOND)
        scenario.show("learning", FIRST)
        scenario.show("learning", SECOND)
        assert await scenario.wait_for_events(1) == [(SECOND, "learning")]
        await scenario.wait_for_polls(SECOND)
        assert await scenario.wait_for_events(1) == [(SECOND, "learning")]


async def test_a_watch_that_is_added_again_continues_from_its_recorded_status(scenario: ReloadScenario) -> None:
    async with scenario.running(scenario.text(FIRST, SECOND)) as daemon:
        scenario.write(scenario.text(SECOND))
        await reload(daemon)
        scenario.show("completed", FIRST)
        await scenario.wait_for_polls(SECOND)
        scenario.write(scenario.text(FIRST, SECOND))
        await reload(daemon)
        assert await scenario.wait_for_events(1) == [(FIRST, "completed")]
        (event,) = scenario.hook.events()
        assert (event["from"], event["late"], event["skipped"]) == ("waiting", True, ["learning"])


async def test_a_changed_receiver_url_applies_to_pending_and_new_deliveries(scenario: ReloadScenario) -> None:
    async with listening(Inbox()) as other, scenario.running(scenario.text(FIRST)) as daemon:
        scenario.write(scenario.text(FIRST, hooks={"hook": other.url}))
        answer = await reload(daemon)
        assert answer["changes"] == ["receiver.hook: changed"]
        await daemon_in_process.eventually(lambda: len(daemon.pipeline.delivery_workers._running) == 1)
        scenario.show("learning")
        assert await scenario.wait_for_events(1, other) == [(FIRST, "learning")]
        assert scenario.hook.received == []


async def test_dismissed_workers_do_not_wait_for_a_pause_and_send_nothing_after_it(scenario: ReloadScenario) -> None:
    scenario.hook.script = lambda _received: PlainTextResponse("slowly", 429, {"Retry-After": "3000"})
    text = scenario.text(FIRST).replace('max_retry = "1s"', 'max_retry = "1h"')
    async with listening(Inbox()) as other, scenario.running(text) as daemon:
        scenario.show("learning")
        await daemon_in_process.eventually(lambda: len(scenario.hook.received) == 1)
        await scenario.wait_for_polls(FIRST)
        old = set(daemon.pipeline.delivery_workers._running)
        scenario.write(text.replace(scenario.hook.url, other.url))
        await reload(daemon)
        await daemon_in_process.eventually(lambda: all(worker.done() for worker in old))
        assert len(scenario.hook.received) == 1


async def test_an_added_receiver_is_notified_from_then_on(scenario: ReloadScenario) -> None:
    async with listening(Inbox()) as other, scenario.running(scenario.text(FIRST)) as daemon:
        scenario.show("learning")
        await scenario.wait_for_events(1)
        scenario.write(scenario.text(FIRST, hooks={"hook": scenario.hook.url, "other": other.url}))
        await reload(daemon)
        scenario.show("completed")
        assert await scenario.wait_for_events(1, other) == [(FIRST, "completed")]
        assert await scenario.wait_for_events(2) == [(FIRST, "learning"), (FIRST, "completed")]


async def test_r21_a_secret_in_a_file_is_read_anew(scenario: ReloadScenario) -> None:
    secret = scenario.folder / "address"
    secret.write_text(scenario.hook.url)
    text = scenario.text(FIRST).replace(f'url = "{scenario.hook.url}"', 'url = { file = "address" }')
    async with listening(Inbox()) as other, scenario.running(text) as daemon:
        secret.write_text(other.url)
        assert (await reload(daemon))["changes"] == []
        scenario.show("learning")
        assert await scenario.wait_for_events(1, other) == [(FIRST, "learning")]


async def test_after_an_upgrade_a_receiver_of_a_kind_that_is_not_loaded_is_refused(
    scenario: ReloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scenario.running(scenario.text(FIRST)) as daemon:
        monkeypatch.setattr(installed, "_signature", lambda: None)
        monkeypatch.delitem(sys.modules, "watcher.receivers.log", raising=False)
        scenario.write(f'{scenario.text(FIRST)}[receiver.journal]\nkind = "log"\n')
        assert "restart it" in str((await reload(daemon))["faults"])
        assert daemon.reloader.config.receivers.keys() == {"hook"}
        scenario.show("learning")
        assert await scenario.wait_for_events(1) == [(FIRST, "learning")]


async def test_a_setting_that_needs_a_restart_is_named_at_each_reload(scenario: ReloadScenario) -> None:
    async with scenario.running(scenario.text(FIRST)) as daemon:
        scenario.write(scenario.text(FIRST).replace("watcher.db", "another.db"))
        for _ in range(2):
            assert (await reload(daemon))["needs_restart"] == ["state.url"]
        assert daemon.database.path.name == "watcher.db"


class SlowWebhook:
    """A webhook that responds once ``released`` is set."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    def __call__(self, _received: Received) -> Response:
        return _SlowResponse(self.released)


class _SlowResponse(PlainTextResponse):
    def __init__(self, released: asyncio.Event) -> None:
        super().__init__("ok")
        self._let = released

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._let.wait()
        await super().__call__(scope, receive, send)


async def test_an_attempt_under_way_ends_and_is_not_repeated(scenario: ReloadScenario) -> None:
    slow = SlowWebhook()
    scenario.hook.script = slow
    async with scenario.running(scenario.text(FIRST)) as daemon:
        scenario.show("learning")
        await daemon_in_process.eventually(lambda: len(scenario.hook.received) == 1)
        scenario.write(scenario.text(FIRST).replace('first_retry = "200ms"', 'first_retry = "300ms"'))
        assert (await reload(daemon))["changes"] == ["delivery.first_retry: changed"]
        scenario.show("completed")
        await scenario.wait_for_polls(FIRST)
        assert len(scenario.hook.received) == 1, "the next delivery overtook it"
        slow.released.set()
        assert await scenario.wait_for_events(2) == [(FIRST, "learning"), (FIRST, "completed")]
        assert len(scenario.hook.received) == 2


async def test_r20_reloads_during_changes_lose_and_double_no_event(scenario: ReloadScenario) -> None:
    plans = [
        scenario.text(FIRST, SECOND),
        scenario.text(FIRST, SECOND).replace('interval = "200ms"', 'interval = "250ms"'),
    ]
    plans.append(plans[0].replace(f'service = "{FIRST}"', f'service = "{FIRST}"\nlabels = {{ team = "a" }}'))
    async with scenario.running(plans[0]) as daemon:
        for number, status in enumerate(["learning", "completed", "waiting", "learning", "learningFailed"] * 2):
            scenario.show(status, FIRST)
            scenario.show(status, SECOND)
            for reload_number in range(5):
                scenario.write(plans[(number + reload_number) % len(plans)])
                assert (await reload(daemon))["outcome"] == "reloaded"
                await asyncio.sleep(0.13)
            await scenario.wait_for_polls(FIRST, 3)
            await scenario.wait_for_polls(SECOND, 3)
        await daemon_in_process.eventually(
            lambda: len(scenario.hook.events()) == len(daemon_in_process.history(scenario.folder))
        )
    assert scenario.broken_invariants() == []
    assert len(scenario.hook.received) == len(scenario.hook.accepted_ids())


async def test_the_incident_of_a_removed_watch_ends_without_an_event(scenario: ReloadScenario) -> None:
    text = scenario.text("never-there", FIRST).replace("[delivery]", '[incident]\nafter = "0s"\n\n[delivery]', 1)
    async with scenario.running(text, failing=True) as daemon:
        await daemon_in_process.eventually(lambda: len(daemon.poller.cache.open_incidents()) == 1)
        scenario.write(text.replace('[[watch]]\nservice = "never-there"', f'[[watch]]\nservice = "{SECOND}"'))
        await reload(daemon)
        assert daemon.poller.cache.open_incidents() == []
        await scenario.wait_for_polls(SECOND)
