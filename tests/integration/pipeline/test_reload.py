"""R20: another configuration while the daemon runs, all of it or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from tests.support import daemon_in_process
from tests.support.reload_scenario import FIRST, SECOND, ReloadScenario, reload, staged
from tests.support.servers import Inbox, Received, listening


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    async with staged(tmp_path) as made:
        yield made


async def test_a_watch_that_was_added_is_polled_and_one_taken_out_no_more(scene: ReloadScenario) -> None:
    async with scene.running(scene.text(FIRST)) as daemon:
        scene.write(scene.text(SECOND))
        answer = await reload(daemon)
        assert "account.main.access_key (env NCP_ACCESS_KEY)" in answer["secrets_of_start"]  # type: ignore[operator]
        assert answer["changes"] == [f"watch main {SECOND}: added", f"watch main {FIRST}: removed"]
        await scene.polled(SECOND)
        scene.show("learning", FIRST)
        scene.show("learning", SECOND)
        assert await scene.announced(1) == [(SECOND, "learning")]
        await scene.polled(SECOND)
        assert await scene.announced(1) == [(SECOND, "learning")]


async def test_a_watch_that_comes_back_goes_on_from_what_was_known(scene: ReloadScenario) -> None:
    async with scene.running(scene.text(FIRST, SECOND)) as daemon:
        scene.write(scene.text(SECOND))
        await reload(daemon)
        scene.show("completed", FIRST)
        await scene.polled(SECOND)
        scene.write(scene.text(FIRST, SECOND))
        await reload(daemon)
        assert await scene.announced(1) == [(FIRST, "completed")]
        (event,) = scene.hook.events()
        assert (event["from"], event["late"], event["skipped"]) == ("waiting", True, ["learning"])


async def test_another_address_is_taken_for_what_waits_and_for_what_comes(scene: ReloadScenario) -> None:
    async with listening(Inbox()) as other, scene.running(scene.text(FIRST)) as daemon:
        scene.write(scene.text(FIRST, hooks={"hook": other.url}))
        answer = await reload(daemon)
        assert answer["changes"] == ["receiver.hook: changed"]
        await daemon_in_process.eventually(lambda: len(daemon.pipeline.delivery_workers._running) == 1)
        scene.show("learning")
        assert await scene.announced(1, other) == [(FIRST, "learning")]
        assert scene.hook.received == []


async def test_workers_that_were_let_go_wait_for_no_pause_and_send_nothing_after_it(scene: ReloadScenario) -> None:
    scene.hook.script = lambda _received: PlainTextResponse("slowly", 429, {"Retry-After": "3000"})
    text = scene.text(FIRST).replace('max_retry = "1s"', 'max_retry = "1h"')
    async with listening(Inbox()) as other, scene.running(text) as daemon:
        scene.show("learning")
        await daemon_in_process.eventually(lambda: len(scene.hook.received) == 1)
        await scene.polled(FIRST)
        old = set(daemon.pipeline.delivery_workers._running)
        scene.write(text.replace(scene.hook.url, other.url))
        await reload(daemon)
        await daemon_in_process.eventually(lambda: all(worker.done() for worker in old))
        assert len(scene.hook.received) == 1


async def test_a_receiver_that_was_added_is_announced_from_then_on(scene: ReloadScenario) -> None:
    async with listening(Inbox()) as other, scene.running(scene.text(FIRST)) as daemon:
        scene.show("learning")
        await scene.announced(1)
        scene.write(scene.text(FIRST, hooks={"hook": scene.hook.url, "other": other.url}))
        await reload(daemon)
        scene.show("completed")
        assert await scene.announced(1, other) == [(FIRST, "completed")]
        assert await scene.announced(2) == [(FIRST, "learning"), (FIRST, "completed")]


async def test_r21_a_secret_in_a_file_is_read_anew(scene: ReloadScenario) -> None:
    secret = scene.folder / "address"
    secret.write_text(scene.hook.url)
    text = scene.text(FIRST).replace(f'url = "{scene.hook.url}"', 'url = { file = "address" }')
    async with listening(Inbox()) as other, scene.running(text) as daemon:
        secret.write_text(other.url)
        assert (await reload(daemon))["changes"] == []
        scene.show("learning")
        assert await scene.announced(1, other) == [(FIRST, "learning")]


async def test_what_needs_a_restart_is_said_each_time(scene: ReloadScenario) -> None:
    async with scene.running(scene.text(FIRST)) as daemon:
        scene.write(scene.text(FIRST).replace("watcher.db", "another.db"))
        for _ in range(2):
            assert (await reload(daemon))["needs_restart"] == ["state.url"]
        assert daemon.database.path.name == "watcher.db"


class Slow:
    """Answers a webhook only when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()

    def __call__(self, _received: Received) -> Response:
        return _After(self.let)


class _After(PlainTextResponse):
    def __init__(self, let: asyncio.Event) -> None:
        super().__init__("ok")
        self._let = let

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._let.wait()
        await super().__call__(scope, receive, send)


async def test_an_attempt_under_way_ends_and_is_not_made_again(scene: ReloadScenario) -> None:
    slow = Slow()
    scene.hook.script = slow
    async with scene.running(scene.text(FIRST)) as daemon:
        scene.show("learning")
        await daemon_in_process.eventually(lambda: len(scene.hook.received) == 1)
        scene.write(scene.text(FIRST).replace('first_retry = "200ms"', 'first_retry = "300ms"'))
        assert (await reload(daemon))["changes"] == ["delivery.first_retry: changed"]
        scene.show("completed")
        await scene.polled(FIRST)
        assert len(scene.hook.received) == 1, "its line waits for it"
        slow.let.set()
        assert await scene.announced(2) == [(FIRST, "learning"), (FIRST, "completed")]
        assert len(scene.hook.received) == 2


async def test_r20_reloads_amid_changes_lose_and_double_nothing(scene: ReloadScenario) -> None:
    plans = [scene.text(FIRST, SECOND), scene.text(FIRST, SECOND).replace('interval = "200ms"', 'interval = "250ms"')]
    plans.append(plans[0].replace(f'service = "{FIRST}"', f'service = "{FIRST}"\nlabels = {{ team = "a" }}'))
    async with scene.running(plans[0]) as daemon:
        for number, status in enumerate(["learning", "completed", "waiting", "learning", "learningFailed"] * 2):
            scene.show(status, FIRST)
            scene.show(status, SECOND)
            for turn in range(5):
                scene.write(plans[(number + turn) % len(plans)])
                assert (await reload(daemon))["outcome"] == "reloaded"
                await asyncio.sleep(0.13)
            await scene.polled(FIRST, 3)
            await scene.polled(SECOND, 3)
        await daemon_in_process.eventually(
            lambda: len(scene.hook.events()) == len(daemon_in_process.history(scene.folder))
        )
    assert scene.broken_invariants() == []
    assert len(scene.hook.received) == len(scene.hook.accepted_ids())


async def test_an_incident_of_a_watch_that_was_taken_out_ends_without_a_word(scene: ReloadScenario) -> None:
    text = scene.text("never-there", FIRST).replace("[delivery]", '[incident]\nafter = "0s"\n\n[delivery]', 1)
    async with scene.running(text) as daemon:
        await daemon_in_process.eventually(lambda: len(daemon.poller.cache.open_incidents()) == 1)
        scene.write(text.replace('[[watch]]\nservice = "never-there"', f'[[watch]]\nservice = "{SECOND}"'))
        await reload(daemon)
        assert daemon.poller.cache.open_incidents() == []
        await scene.polled(SECOND)
