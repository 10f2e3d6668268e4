"""From a change at AiTEMS to the message at a receiver, over real HTTP and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from starlette.responses import PlainTextResponse, Response

from tests.support import daemon_in_process
from tests.support.invariants import Evidence, Life, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, Received, as_slack, listening
from watcher.simulator import Fault, serve

SERVICE = "6wxgu1abcde"
LIFE = ("waiting", "learning", "completed")


@dataclass(slots=True)
class ReloadScenario:
    """Everything outside the daemon."""

    folder: Path
    api: RecordingSimulator
    base_url: str
    hook: Inbox

    def show(self, status: str, version: str = "v1", train_type: str = "pop") -> None:
        """Give a training a status."""
        self.api.set_training(SERVICE, train_type, version, status)

    def settings(self, *services: str) -> str:
        """Return the plain configuration: one service, one webhook."""
        return daemon_in_process.settings(self.base_url, list(services) or [SERVICE], {"hook": self.hook.url})

    async def announced(self, count: int) -> list[dict[str, object]]:
        """Wait for so many events at the webhook."""
        await daemon_in_process.eventually(lambda: len(self.hook.events()) >= count)
        return self.hook.events()

    async def seen(self, status: str, times: int = 2, version: str = "v1") -> None:
        """Wait until the API has shown a status so many times from now on."""
        start = len(self.api.shown)

        def enough() -> bool:
            return sum(s.status == status and s.subject[2] == version for s in self.api.shown[start:]) >= times

        await daemon_in_process.eventually(enough)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    api = RecordingSimulator()
    api.set_training(SERVICE, "pop", "v1", "requesting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield ReloadScenario(tmp_path, api, simulator.base_url, hook)


async def test_each_change_arrives_once_in_order_signed_and_true(scene: ReloadScenario) -> None:
    born = datetime.now(UTC)
    async with daemon_in_process.running(scene.folder, scene.settings()) as daemon:
        for count, status in enumerate(LIFE, start=1):
            scene.show(status)
            await scene.announced(count)
        await scene.seen("completed")
        epoch = daemon.database.epoch
    await asyncio.sleep(0)
    events = scene.hook.events()
    assert [(event["kind"], event["from"], event["to"]) for event in events] == [
        ("progress", "requesting", "waiting"),
        ("progress", "waiting", "learning"),
        ("succeeded", "learning", "completed"),
    ]
    assert [(event["seq"], event["receiver_seq"], event["late"]) for event in events] == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, False),
    ]
    for received in scene.hook.received:
        Webhook(daemon_in_process.WEBHOOK_SECRET).verify(received.body, received.headers)
    evidence = Evidence(
        shown=scene.api.shown,
        lives=[Life(born, datetime.now(UTC))],
        announced=daemon_in_process.history(scene.folder),
        received={"hook": scene.hook.received},
        epoch=epoch,
    )
    assert violations(evidence) == []


async def test_slack_gets_each_change_once_within_its_limits(scene: ReloadScenario) -> None:
    async with listening(Inbox(as_slack)) as slack:
        text = daemon_in_process.settings(scene.base_url, [SERVICE], {}, slack=True)
        async with daemon_in_process.running(scene.folder, text, {"SLACK_URL": slack.url}):
            for count, status in enumerate(("learning", "learningFailed"), start=1):
                scene.show(status)
                await daemon_in_process.eventually(lambda expected=count: len(slack.received) >= expected)  # type: ignore[misc]
        texts = [item.json["text"] for item in slack.received]
    assert len(texts) == 2
    assert "learning" in texts[0]
    assert "learningFailed" in texts[1]
    gap = slack.received[1].at - slack.received[0].at
    assert gap.total_seconds() > 0.9, "Slack allows one message a second a channel"


async def test_stages_that_nobody_saw_are_said_to_be_skipped(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings()):
        scene.show("completed")
        (event,) = await scene.announced(1)
    assert (event["skipped"], event["kind"]) == (["waiting", "learning"], "succeeded")


async def test_what_changed_while_the_watcher_was_down_is_announced_once_and_marked_late(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings()):
        pass
    scene.show("learning")
    scene.show("waiting", "v2")
    async with daemon_in_process.running(scene.folder, scene.settings()):
        events = await scene.announced(2)
        scene.show("completed")
        events = await scene.announced(3)
    async with daemon_in_process.running(scene.folder, scene.settings()):
        await scene.seen("completed")
    assert [(e["version"], e["to"], e["late"], e["new"]) for e in events[:2]] == [
        ("v1", "learning", True, False),
        ("v2", "waiting", True, True),
    ]
    assert (events[2]["to"], events[2]["late"]) == ("completed", False)
    assert [len(item.events) for item in scene.hook.received] == [2, 1], "what is late is told together"


async def test_the_first_result_of_a_service_announces_nothing(scene: ReloadScenario) -> None:
    for number in range(20):
        scene.show("completed", f"old{number}")
    async with daemon_in_process.running(scene.folder, scene.settings()):
        await scene.seen("requesting")
    assert scene.hook.received == []
    assert daemon_in_process.history(scene.folder) == []


async def test_a_single_training_is_watched_by_view_calls(scene: ReloadScenario) -> None:
    text = scene.settings().replace(f'service = "{SERVICE}"', f'service = "{SERVICE}"\ntype = "pop"\nversion = "v1"')
    async with daemon_in_process.running(scene.folder, text):
        scene.show("learningFailed")
        (event,) = await scene.announced(1)
    assert event["kind"] == "failed"
    assert {shown.kind.value for shown in scene.api.shown} == {"view"}


async def test_an_end_seen_in_a_list_is_confirmed_by_a_view(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings()):
        scene.show("completed")
        (event,) = await scene.announced(1)
    assert event["confirmed"]
    assert "view" in {shown.kind.value for shown in scene.api.shown}


async def test_many_ends_at_once_are_confirmed_by_one_more_list(scene: ReloadScenario) -> None:
    for number in range(10):
        scene.show("learning", f"many{number}")
    async with daemon_in_process.running(scene.folder, scene.settings()):
        for number in range(10):
            scene.show("completed", f"many{number}")
        await scene.announced(10)
    assert "view" not in {shown.kind.value for shown in scene.api.shown}


async def test_an_end_that_only_one_list_shows_is_announced_as_unconfirmed(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings()):
        scene.api.on_shown = lambda shown: shown.status == "completed" and scene.api.add_fault(Fault(kind="500"))
        scene.show("completed")
        (event,) = await scene.announced(1)
    assert (event["kind"], event["confirmed"], event["reason"]) == ("succeeded", False, "ended-unconfirmed")


async def test_failed_polls_announce_nothing_and_hide_nothing(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.settings()) as daemon:
        number = scene.api.add_fault(Fault(kind="500"))
        await daemon_in_process.eventually(lambda: bool(daemon.poller.failing()))
        scene.show("completed")
        assert daemon.poller.failing()[0].cause == "server-error"
        scene.api.faults.remove(number)
        (event,) = await scene.announced(1)
        await daemon_in_process.eventually(lambda: not daemon.poller.failing())
    assert (event["kind"], event["late"]) == ("succeeded", True)


async def test_a_failing_receiver_does_not_hold_up_another(scene: ReloadScenario) -> None:
    async with listening(Inbox(lambda _: PlainTextResponse("no", 500))) as failing:
        text = daemon_in_process.settings(scene.base_url, [SERVICE], {"failing": failing.url, "hook": scene.hook.url})
        async with daemon_in_process.running(scene.folder, text):
            for count, status in enumerate(LIFE, start=1):
                scene.show(status)
                await scene.announced(count)
    assert len(failing.accepted_ids()) == 1, "the head of the line blocks what comes after it"


async def test_a_receiver_that_was_down_gets_everything_in_order_under_the_same_ids(scene: ReloadScenario) -> None:
    down = True

    def moody(_received: Received) -> Response:
        return PlainTextResponse("", 503 if down else 200)

    scene.hook.script = moody
    async with daemon_in_process.running(scene.folder, scene.settings()):
        for status in LIFE:
            scene.show(status)
            await scene.seen(status)
        down = False
        await daemon_in_process.eventually(lambda: len(scene.hook.accepted_ids()) == 3)
    assert [event["to"] for event in scene.hook.events()] == list(LIFE)
    assert len({item.body for item in scene.hook.received}) == 3


async def test_what_was_not_delivered_is_delivered_after_a_restart(scene: ReloadScenario) -> None:
    scene.hook.script = lambda _: PlainTextResponse("", 503)
    async with daemon_in_process.running(scene.folder, scene.settings()):
        scene.show("completed")
        await scene.announced(1)
    refused = len(scene.hook.received)
    scene.hook.script = lambda _: PlainTextResponse("", 200)
    async with daemon_in_process.running(scene.folder, scene.settings()):
        await daemon_in_process.eventually(lambda: len(scene.hook.received) > refused)
    assert len(scene.hook.accepted_ids()) == 1


async def test_a_restart_of_a_final_training_is_announced_as_restarted(scene: ReloadScenario) -> None:
    scene.show("completed")
    async with daemon_in_process.running(scene.folder, scene.settings()):
        scene.show("learning")
        (event,) = await scene.announced(1)
    assert (event["kind"], event["from"], event["to"]) == ("restarted", "completed", "learning")
