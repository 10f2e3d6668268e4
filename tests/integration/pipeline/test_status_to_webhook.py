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
from tests.support.invariants import DaemonRun, Evidence, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, Received, as_slack, listening
from watcher.simulator import Fault, serve

SERVICE = "6wxgu1abcde"
LIFE = ("waiting", "learning", "completed")


@dataclass(slots=True)
class WebhookScenario:
    """The API and the webhook around the daemon."""

    folder: Path
    api: RecordingSimulator
    base_url: str
    hook: Inbox

    def show(self, status: str, version: str = "v1", train_type: str = "pop") -> None:
        """Give a training a status."""
        self.api.set_training(SERVICE, train_type, version, status)

    def settings(self, *services: str) -> str:
        """Return a configuration with one webhook, and one service by default."""
        return daemon_in_process.settings(self.base_url, list(services) or [SERVICE], {"hook": self.hook.url})

    async def announced(self, count: int) -> list[dict[str, object]]:
        """Wait for this number of events at the webhook; return all of them."""
        await daemon_in_process.eventually(lambda: len(self.hook.events()) >= count)
        return self.hook.events()

    async def seen(self, status: str, times: int = 2, version: str = "v1") -> None:
        """Wait until the API has shown a status this many times from now."""
        start = len(self.api.shown)

        def enough() -> bool:
            return sum(s.status == status and s.subject[2] == version for s in self.api.shown[start:]) >= times

        await daemon_in_process.eventually(enough)


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[WebhookScenario]:
    api = RecordingSimulator()
    api.set_training(SERVICE, "pop", "v1", "requesting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield WebhookScenario(tmp_path, api, simulator.base_url, hook)


async def test_each_change_arrives_once_in_order_and_signed(scenario: WebhookScenario) -> None:
    started_at = datetime.now(UTC)
    async with daemon_in_process.running(scenario.folder, scenario.settings()) as daemon:
        for count, status in enumerate(LIFE, start=1):
            scenario.show(status)
            await scenario.announced(count)
        await scenario.seen("completed")
        epoch = daemon.database.epoch
    await asyncio.sleep(0)
    events = scenario.hook.events()
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
    for received in scenario.hook.received:
        Webhook(daemon_in_process.WEBHOOK_SECRET).verify(received.body, received.headers)
    evidence = Evidence(
        shown=scenario.api.shown,
        runs=[DaemonRun(started_at, datetime.now(UTC))],
        announced=daemon_in_process.history(scenario.folder),
        received={"hook": scenario.hook.received},
        epoch=epoch,
    )
    assert violations(evidence) == []


async def test_slack_gets_each_change_once_within_its_limits(scenario: WebhookScenario) -> None:
    async with listening(Inbox(as_slack)) as slack:
        text = daemon_in_process.settings(scenario.base_url, [SERVICE], {}, slack=True)
        async with daemon_in_process.running(scenario.folder, text, {"SLACK_URL": slack.url}):
            for count, status in enumerate(("learning", "learningFailed"), start=1):
                scenario.show(status)
                await daemon_in_process.eventually(lambda expected=count: len(slack.received) >= expected)  # type: ignore[misc]
        texts = [item.json["text"] for item in slack.received]
    assert len(texts) == 2
    assert "learning" in texts[0]
    assert "learningFailed" in texts[1]
    gap = slack.received[1].at - slack.received[0].at
    assert gap.total_seconds() > 0.9, "Slack allows one message per second and channel"


async def test_stages_between_two_polls_are_named_as_skipped(scenario: WebhookScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        scenario.show("completed")
        (event,) = await scenario.announced(1)
    assert (event["skipped"], event["kind"]) == (["waiting", "learning"], "succeeded")


async def test_changes_during_a_stop_of_the_watcher_are_announced_once_and_marked_late(
    scenario: WebhookScenario,
) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        pass
    scenario.show("learning")
    scenario.show("waiting", "v2")
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        events = await scenario.announced(2)
        scenario.show("completed")
        events = await scenario.announced(3)
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        await scenario.seen("completed")
    assert [(e["version"], e["to"], e["late"], e["new"]) for e in events[:2]] == [
        ("v1", "learning", True, False),
        ("v2", "waiting", True, True),
    ]
    assert (events[2]["to"], events[2]["late"]) == ("completed", False)
    assert [len(item.events) for item in scenario.hook.received] == [2, 1], "the late changes did not form one group"


async def test_the_first_result_of_a_service_announces_nothing(scenario: WebhookScenario) -> None:
    for number in range(20):
        scenario.show("completed", f"old{number}")
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        await scenario.seen("requesting")
    assert scenario.hook.received == []
    assert daemon_in_process.history(scenario.folder) == []


async def test_a_single_training_is_watched_by_view_calls(scenario: WebhookScenario) -> None:
    text = scenario.settings().replace(f'service = "{SERVICE}"', f'service = "{SERVICE}"\ntype = "pop"\nversion = "v1"')
    async with daemon_in_process.running(scenario.folder, text):
        scenario.show("learningFailed")
        (event,) = await scenario.announced(1)
    assert event["kind"] == "failed"
    assert {shown.kind.value for shown in scenario.api.shown} == {"view"}


async def test_an_end_in_a_list_is_confirmed_by_a_view(scenario: WebhookScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        scenario.show("completed")
        (event,) = await scenario.announced(1)
    assert event["confirmed"]
    assert "view" in {shown.kind.value for shown in scenario.api.shown}


async def test_many_ends_at_once_are_confirmed_by_one_more_list(scenario: WebhookScenario) -> None:
    for number in range(10):
        scenario.show("learning", f"many{number}")
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        for number in range(10):
            scenario.show("completed", f"many{number}")
        await scenario.announced(10)
    assert "view" not in {shown.kind.value for shown in scenario.api.shown}


async def test_an_end_that_only_one_list_shows_is_announced_as_unconfirmed(scenario: WebhookScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        scenario.api.on_shown = lambda shown: shown.status == "completed" and scenario.api.add_fault(Fault(kind="500"))
        scenario.show("completed")
        (event,) = await scenario.announced(1)
    assert (event["kind"], event["confirmed"], event["reason"]) == ("succeeded", False, "ended-unconfirmed")


async def test_failed_polls_announce_nothing_and_hide_nothing(scenario: WebhookScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.settings()) as daemon:
        number = scenario.api.add_fault(Fault(kind="500"))
        await daemon_in_process.eventually(lambda: bool(daemon.poller.failing()))
        scenario.show("completed")
        assert daemon.poller.failing()[0].cause == "server-error"
        scenario.api.faults.remove(number)
        (event,) = await scenario.announced(1)
        await daemon_in_process.eventually(lambda: not daemon.poller.failing())
    assert (event["kind"], event["late"]) == ("succeeded", True)


async def test_a_failing_receiver_does_not_delay_another(scenario: WebhookScenario) -> None:
    async with listening(Inbox(lambda _: PlainTextResponse("no", 500))) as failing:
        text = daemon_in_process.settings(
            scenario.base_url, [SERVICE], {"failing": failing.url, "hook": scenario.hook.url}
        )
        async with daemon_in_process.running(scenario.folder, text):
            for count, status in enumerate(LIFE, start=1):
                scenario.show(status)
                await scenario.announced(count)
    assert len(failing.accepted_ids()) == 1, "a delivery overtook the failing one"


async def test_a_receiver_that_was_down_gets_everything_in_order_under_the_same_ids(scenario: WebhookScenario) -> None:
    down = True

    def respond(_received: Received) -> Response:
        return PlainTextResponse("", 503 if down else 200)

    scenario.hook.script = respond
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        for status in LIFE:
            scenario.show(status)
            await scenario.seen(status)
        down = False
        await daemon_in_process.eventually(lambda: len(scenario.hook.accepted_ids()) == 3)
    assert [event["to"] for event in scenario.hook.events()] == list(LIFE)
    assert len({item.body for item in scenario.hook.received}) == 3


async def test_a_pending_delivery_is_sent_after_a_restart(scenario: WebhookScenario) -> None:
    scenario.hook.script = lambda _: PlainTextResponse("", 503)
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        scenario.show("completed")
        await scenario.announced(1)
    refused = len(scenario.hook.received)
    scenario.hook.script = lambda _: PlainTextResponse("", 200)
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        await daemon_in_process.eventually(lambda: len(scenario.hook.received) > refused)
    assert len(scenario.hook.accepted_ids()) == 1


async def test_a_restart_of_a_final_training_is_announced_as_restarted(scenario: WebhookScenario) -> None:
    scenario.show("completed")
    async with daemon_in_process.running(scenario.folder, scenario.settings()):
        scenario.show("learning")
        (event,) = await scenario.announced(1)
    assert (event["kind"], event["from"], event["to"]) == ("restarted", "completed", "learning")
