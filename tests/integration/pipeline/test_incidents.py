"""What cannot be seen: one cause is one message, and nothing that it hid is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.simulator import CallKind, Fault, serve

SERVICES = ("6wxgu1abcde", "49qk0abcdef", "b28a0ghijkl")
SENSITIVE = '\n[incident]\nafter_failures = 2\nafter = "300ms"\nrecover_after = 2\n'


@dataclass(slots=True)
class ReloadScenario:
    """Three services, one webhook, and incidents that come within a second."""

    folder: Path
    api: RecordingSimulator
    base_url: str
    hook: Inbox

    @property
    def text(self) -> str:
        """The configuration."""
        return daemon_in_process.settings(self.base_url, list(SERVICES), {"hook": self.hook.url}) + SENSITIVE

    def kinds(self) -> list[str]:
        """What was told, in order."""
        return [event["kind"] for event in self.hook.events()]

    async def announced(self, *kinds: str) -> list[Any]:
        """Wait until at least these kinds were told."""
        await daemon_in_process.eventually(lambda: all(self.kinds().count(kind) >= kinds.count(kind) for kind in kinds))
        return self.hook.events()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    api = RecordingSimulator()
    for service in SERVICES:
        for version in ("v1", "v2"):
            api.set_training(service, "pop", version, "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield ReloadScenario(tmp_path, api, simulator.base_url, hook)


async def more_polls(daemon: Daemon, scene: ReloadScenario, count: int = 12) -> None:
    """Let some more requests come."""
    await scene.api.requests.wait_for(scene.api.requests.total + count)


async def test_an_outage_of_everything_is_one_incident_one_recovery_and_one_catch_up(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.text) as daemon:
        number = scene.api.add_fault(Fault(kind="500"))
        await scene.announced("unreachable")
        for service in SERVICES:
            scene.api.set_training(service, "pop", "v1", "completed")
            scene.api.set_training(service, "pop", "v2", "stopping")
        await more_polls(daemon, scene)
        scene.api.faults.remove(number)
        events = await scene.announced("unreachable", "recovered", *["succeeded", "progress"] * 3)
        await more_polls(daemon, scene)
    assert sorted(scene.kinds()) == ["progress"] * 3 + ["recovered"] + ["succeeded"] * 3 + ["unreachable"]
    opened, closed = (next(e for e in events if e["kind"] == kind) for kind in ("unreachable", "recovered"))
    assert (opened["service"], opened["incident"]["cause"]) == (None, "server-error")
    assert opened["incident"]["id"] == closed["incident"]["id"]
    assert closed["incident"]["lasted_seconds"] > 0
    assert opened["incident"]["advice"]
    catch_up = [item for item in scene.hook.received if item.json["type"] == "group"]
    assert len(catch_up) == 1
    paths = {(e["service"], e["version"], e["from"], e["to"], e["late"]) for e in catch_up[0].events}
    assert paths == {
        (service, version, "learning", word, True)
        for service in SERVICES
        for version, word in (("v1", "completed"), ("v2", "stopping"))
    }


async def test_failures_behind_an_outage_are_alerted_as_usual_and_named_in_the_catch_up(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.text):
        number = scene.api.add_fault(Fault(kind="reset"))
        await scene.announced("unreachable")
        scene.api.set_training(SERVICES[0], "pop", "v1", "learningFailed")
        scene.api.set_training(SERVICES[1], "pop", "v1", "completed")
        scene.api.set_training(SERVICES[2], "pop", "v1", "completed")
        scene.api.faults.remove(number)
        await scene.announced("recovered", "failed", "succeeded", "succeeded")
    (group,) = (item.json["data"] for item in scene.hook.received if item.json["type"] == "group")
    assert [e["to"] for e in group["events"]] == ["completed", "completed"]
    assert [e["to"] for e in group["also"]] == ["learningFailed"]


async def test_one_unreachable_service_is_its_own_incident_and_the_others_go_on(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.text):
        number = scene.api.add_fault(Fault(kind="500", service=SERVICES[0]))
        (opened,) = await scene.announced("unreachable")
        scene.api.set_training(SERVICES[1], "pop", "v1", "completed")
        await scene.announced("unreachable", "succeeded")
        scene.api.faults.remove(number)
        await scene.announced("recovered")
    assert opened["service"] == SERVICES[0]
    assert scene.kinds() == ["unreachable", "succeeded", "recovered"]


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        (Fault(kind="401"), "denied", "key"),
        (Fault(kind="401-permission"), "denied", "permission"),
        (Fault(kind="429-quota", retry_after="0"), "throttled", "quota"),
        (Fault(kind="429-throttle", retry_after="0"), "throttled", "throttle"),
        (Fault(kind="429-rate", retry_after="0"), "throttled", "rate"),
        (Fault(kind="garbage"), "unreachable", "bad-answer"),
        (Fault(kind="envelope-200"), "unreachable", "bad-answer"),
        (Fault(kind="redirect"), "unreachable", "bad-answer"),
        (Fault(kind="reset"), "unreachable", "reset"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_cause_has_its_kind_and_word(scene: ReloadScenario, fault: Fault, kind: str, cause: str) -> None:
    async with daemon_in_process.running(scene.folder, scene.text):
        scene.api.add_fault(fault)
        (event, *_) = await scene.announced(kind)
    assert (event["kind"], event["incident"]["cause"]) == (kind, cause)


async def test_a_service_that_was_never_found_is_one_incident(scene: ReloadScenario) -> None:
    text = scene.text + daemon_in_process.WATCH.format(service="nosuchservice")
    async with daemon_in_process.running(scene.folder, text) as daemon:
        (event,) = await scene.announced("not-found")
        await more_polls(daemon, scene)
    assert event["service"] == "nosuchservice"
    assert scene.kinds() == ["not-found"]


async def test_a_service_that_vanished_is_one_incident_and_none_of_its_trainings_is_gone(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.text) as daemon:
        scene.api.delete_service(SERVICES[0])
        await scene.announced("not-found")
        await more_polls(daemon, scene)
    assert scene.kinds() == ["not-found"]


async def test_a_training_that_vanishes_is_gone_once_and_back_once(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.text) as daemon:
        scene.api.delete_training(SERVICES[0], "pop", "v1")
        await scene.announced("gone")
        await more_polls(daemon, scene)
        scene.api.set_training(SERVICES[0], "pop", "v1", "learning")
        events = await scene.announced("gone", "back")
        await more_polls(daemon, scene)
    assert [(e["kind"], e["from"], e["to"]) for e in events] == [("gone", "learning", None), ("back", None, "learning")]


def viewed(scene: ReloadScenario, *versions: str) -> str:
    """Return a configuration that watches trainings of the first service by themselves."""
    watches = "".join(
        daemon_in_process.WATCH.format(service=SERVICES[0]) + f'type = "pop"\nversion = "{version}"\n'
        for version in versions
    )
    return daemon_in_process.settings(scene.base_url, [], {"hook": scene.hook.url}) + watches + SENSITIVE


async def test_a_single_training_that_vanishes_is_gone_and_comes_back(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, viewed(scene, "v1")):
        scene.api.delete_training(SERVICES[0], "pop", "v1")
        await scene.announced("gone")
        scene.api.set_training(SERVICES[0], "pop", "v1", "learning")
        await scene.announced("gone", "back")
    assert scene.kinds() == ["gone", "back"]


async def test_a_single_training_that_was_never_found_is_one_incident(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, viewed(scene, "nosuch")) as daemon:
        (event,) = await scene.announced("not-found")
        await more_polls(daemon, scene, 5)
        scene.api.set_training(SERVICES[0], "pop", "nosuch", "learning")
        await scene.announced("not-found", "recovered")
        scene.api.set_training(SERVICES[0], "pop", "nosuch", "completed")
        await scene.announced("succeeded")
    assert event["version"] == "nosuch"
    assert scene.kinds() == ["not-found", "recovered", "succeeded"]


async def test_single_trainings_of_one_service_are_joined_into_one_list(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, viewed(scene, "v1", "v2")) as daemon:
        scene.api.set_training(SERVICES[0], "pop", "v3", "learning")
        scene.api.set_training(SERVICES[0], "pop", "v2", "learningFailed")
        await scene.announced("failed")
        await more_polls(daemon, scene, 5)
    assert scene.kinds() == ["failed"], "what nobody watches is not told"
    assert scene.api.requests.count(CallKind.LIST) > scene.api.requests.count(CallKind.VIEW)


async def test_where_the_list_is_refused_views_serve_instead(scene: ReloadScenario) -> None:
    scene.api.add_fault(Fault(kind="401-permission", call=CallKind.LIST))
    async with daemon_in_process.running(scene.folder, viewed(scene, "v1", "v2")):
        scene.api.set_training(SERVICES[0], "pop", "v1", "completed")
        await scene.announced("succeeded")
    assert scene.kinds() == ["succeeded"]
    assert scene.api.requests.count(CallKind.LIST) == 1


async def test_every_service_of_an_account_is_found_those_that_come_later_too(scene: ReloadScenario) -> None:
    text = daemon_in_process.settings(scene.base_url, ["*"], {"hook": scene.hook.url})
    async with daemon_in_process.running(scene.folder, text):
        scene.api.set_training(SERVICES[0], "pop", "v1", "completed")
        await scene.announced("succeeded")
        scene.api.set_training("later", "pop", "v1", "learning")
        await daemon_in_process.eventually(lambda: any(shown.subject[0] == "later" for shown in scene.api.shown))
        scene.api.set_training("later", "pop", "v1", "learningFailed")
        await scene.announced("failed")
    assert scene.kinds() == ["succeeded", "failed"]


async def test_an_incident_outlives_a_restart_and_is_closed_once(scene: ReloadScenario) -> None:
    async with daemon_in_process.running(scene.folder, scene.text):
        number = scene.api.add_fault(Fault(kind="500"))
        await scene.announced("unreachable")
    async with daemon_in_process.running(scene.folder, scene.text) as daemon:
        await more_polls(daemon, scene)
        scene.api.faults.remove(number)
        await scene.announced("recovered")
        await more_polls(daemon, scene)
    assert scene.kinds() == ["unreachable", "recovered"]


async def test_clocks_that_disagree_by_more_than_a_minute_are_an_incident_with_the_seconds(
    scene: ReloadScenario,
) -> None:
    async with daemon_in_process.running(scene.folder, scene.text):
        scene.api.clock_offset_seconds = 90.0
        (event,) = await scene.announced("clock-skew")
        scene.api.clock_offset_seconds = 0.0
        await scene.announced("clock-skew", "recovered")
    assert "+90 s" in event["incident"]["detail"] or "+89 s" in event["incident"]["detail"]
    assert event["service"] is None


async def test_a_refused_signature_with_a_skewed_clock_is_called_a_clock(scene: ReloadScenario) -> None:
    scene.api.clock_offset_seconds = -400.0
    async with daemon_in_process.running(scene.folder, scene.text):
        (event,) = await scene.announced("clock-skew")
    assert (event["kind"], event["incident"]["cause"]) == ("clock-skew", "clock")
