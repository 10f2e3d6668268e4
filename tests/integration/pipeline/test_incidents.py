"""Incidents: one cause makes one message, and no change that it hid is lost."""

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
# Shorter than this, a service of a busy machine has an incident before the others have failed as well.
SENSITIVE = '\n[incident]\nafter_failures = 2\nafter = "1s"\nrecover_after = 2\n'


@dataclass(slots=True)
class IncidentScenario:
    """Three services, one webhook, and incidents that open within a second."""

    folder: Path
    api: RecordingSimulator
    base_url: str
    hook: Inbox

    @property
    def text(self) -> str:
        """The configuration."""
        return daemon_in_process.settings(self.base_url, list(SERVICES), {"hook": self.hook.url}) + SENSITIVE

    def kinds(self) -> list[str]:
        """Return the kinds of the received events, in order."""
        return [event["kind"] for event in self.hook.events()]

    async def announced(self, *kinds: str) -> list[Any]:
        """Wait until at least these kinds were received; return all received events."""
        await daemon_in_process.eventually(lambda: all(self.kinds().count(kind) >= kinds.count(kind) for kind in kinds))
        return self.hook.events()


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[IncidentScenario]:
    api = RecordingSimulator()
    for service in SERVICES:
        for version in ("v1", "v2"):
            api.set_training(service, "pop", version, "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield IncidentScenario(tmp_path, api, simulator.base_url, hook)


async def more_polls(daemon: Daemon, scenario: IncidentScenario, count: int = 12) -> None:
    """Wait for some more requests."""
    await scenario.api.requests.wait_for(scenario.api.requests.total + count)


async def test_an_outage_of_everything_is_one_incident_one_recovery_and_one_catch_up(
    scenario: IncidentScenario,
) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text) as daemon:
        number = scenario.api.add_fault(Fault(kind="500"))
        await scenario.announced("unreachable")
        for service in SERVICES:
            scenario.api.set_training(service, "pop", "v1", "completed")
            scenario.api.set_training(service, "pop", "v2", "stopping")
        await more_polls(daemon, scenario)
        scenario.api.faults.remove(number)
        events = await scenario.announced("unreachable", "recovered", *["succeeded", "progress"] * 3)
        await more_polls(daemon, scenario)
    assert sorted(scenario.kinds()) == ["progress"] * 3 + ["recovered"] + ["succeeded"] * 3 + ["unreachable"]
    opened, closed = (next(e for e in events if e["kind"] == kind) for kind in ("unreachable", "recovered"))
    assert (opened["service"], opened["incident"]["cause"]) == (None, "server-error")
    assert opened["incident"]["id"] == closed["incident"]["id"]
    assert closed["incident"]["lasted_seconds"] > 0
    assert opened["incident"]["advice"]
    catch_up = [item for item in scenario.hook.received if item.json["type"] == "group"]
    assert len(catch_up) == 1
    outage = catch_up[0].json["data"]["outage"]
    assert (outage["incident"], outage["account"], outage["service"]) == (closed["incident"]["id"], "main", None)
    assert outage["since"][:19] == opened["incident"]["since"][:19]
    assert outage["since"] <= outage["until"]
    paths = {(e["service"], e["version"], e["from"], e["to"], e["late"]) for e in catch_up[0].events}
    assert paths == {
        (service, version, "learning", status, True)
        for service in SERVICES
        for version, status in (("v1", "completed"), ("v2", "stopping"))
    }


async def test_failed_trainings_during_an_outage_are_sent_alone_and_named_in_the_catch_up(
    scenario: IncidentScenario,
) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text):
        number = scenario.api.add_fault(Fault(kind="reset"))
        await scenario.announced("unreachable")
        scenario.api.set_training(SERVICES[0], "pop", "v1", "learningFailed")
        scenario.api.set_training(SERVICES[1], "pop", "v1", "completed")
        scenario.api.set_training(SERVICES[2], "pop", "v1", "completed")
        scenario.api.faults.remove(number)
        await scenario.announced("recovered", "failed", "succeeded", "succeeded")
    (group,) = (item.json["data"] for item in scenario.hook.received if item.json["type"] == "group")
    assert [e["to"] for e in group["events"]] == ["completed", "completed"]
    assert [e["to"] for e in group["also"]] == ["learningFailed"]


async def test_the_changes_during_the_outage_of_one_service_name_that_service(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text):
        number = scenario.api.add_fault(Fault(kind="500", service=SERVICES[0]))
        (opened,) = await scenario.announced("unreachable")
        for version, status in (("v1", "completed"), ("v2", "stopping")):
            scenario.api.set_training(SERVICES[0], "pop", version, status)
        scenario.api.faults.remove(number)
        await scenario.announced("recovered", "succeeded", "progress")
    (group,) = (item.json["data"] for item in scenario.hook.received if item.json["type"] == "group")
    assert (group["outage"]["account"], group["outage"]["service"]) == ("main", SERVICES[0])
    assert group["outage"]["incident"] == opened["incident"]["id"] == group["group"]


async def test_one_unreachable_service_has_its_own_incident_and_the_others_go_on(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text):
        number = scenario.api.add_fault(Fault(kind="500", service=SERVICES[0]))
        (opened,) = await scenario.announced("unreachable")
        scenario.api.set_training(SERVICES[1], "pop", "v1", "completed")
        await scenario.announced("unreachable", "succeeded")
        scenario.api.faults.remove(number)
        await scenario.announced("recovered")
    assert opened["service"] == SERVICES[0]
    assert scenario.kinds() == ["unreachable", "succeeded", "recovered"]


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
async def test_each_cause_has_its_kind_and_code(
    scenario: IncidentScenario, fault: Fault, kind: str, cause: str
) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text):
        scenario.api.add_fault(fault)
        (event, *_) = await scenario.announced(kind)
    assert (event["kind"], event["incident"]["cause"]) == (kind, cause)


async def test_a_service_that_was_never_found_is_one_incident(scenario: IncidentScenario) -> None:
    text = scenario.text + daemon_in_process.WATCH.format(service="nosuchservice")
    async with daemon_in_process.running(scenario.folder, text) as daemon:
        (event,) = await scenario.announced("not-found")
        await more_polls(daemon, scenario)
    assert event["service"] == "nosuchservice"
    assert scenario.kinds() == ["not-found"]


async def test_a_deleted_service_is_one_incident_and_its_trainings_are_not_gone(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text) as daemon:
        scenario.api.delete_service(SERVICES[0])
        await scenario.announced("not-found")
        await more_polls(daemon, scenario)
    assert scenario.kinds() == ["not-found"]


async def test_a_deleted_training_is_announced_gone_once_and_back_once(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text) as daemon:
        scenario.api.delete_training(SERVICES[0], "pop", "v1")
        await scenario.announced("gone")
        await more_polls(daemon, scenario)
        scenario.api.set_training(SERVICES[0], "pop", "v1", "learning")
        events = await scenario.announced("gone", "back")
        await more_polls(daemon, scenario)
    assert [(e["kind"], e["from"], e["to"]) for e in events] == [("gone", "learning", None), ("back", None, "learning")]


def viewed(scenario: IncidentScenario, *versions: str) -> str:
    """Return a configuration with a watch for each of these trainings of the first service."""
    watches = "".join(
        daemon_in_process.WATCH.format(service=SERVICES[0]) + f'type = "pop"\nversion = "{version}"\n'
        for version in versions
    )
    return daemon_in_process.settings(scenario.base_url, [], {"hook": scenario.hook.url}) + watches + SENSITIVE


async def test_a_deleted_single_training_is_announced_gone_and_back(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, viewed(scenario, "v1")):
        scenario.api.delete_training(SERVICES[0], "pop", "v1")
        await scenario.announced("gone")
        scenario.api.set_training(SERVICES[0], "pop", "v1", "learning")
        await scenario.announced("gone", "back")
    assert scenario.kinds() == ["gone", "back"]


async def test_a_single_training_that_was_never_found_is_one_incident(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, viewed(scenario, "nosuch")) as daemon:
        (event,) = await scenario.announced("not-found")
        await more_polls(daemon, scenario, 5)
        scenario.api.set_training(SERVICES[0], "pop", "nosuch", "learning")
        await scenario.announced("not-found", "recovered")
        scenario.api.set_training(SERVICES[0], "pop", "nosuch", "completed")
        await scenario.announced("succeeded")
    assert event["version"] == "nosuch"
    assert scenario.kinds() == ["not-found", "recovered", "succeeded"]


async def test_single_trainings_of_one_service_are_joined_into_one_list(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, viewed(scenario, "v1", "v2")) as daemon:
        scenario.api.set_training(SERVICES[0], "pop", "v3", "learning")
        scenario.api.set_training(SERVICES[0], "pop", "v2", "learningFailed")
        await scenario.announced("failed")
        await more_polls(daemon, scenario, 5)
    assert scenario.kinds() == ["failed"], "a training without a watch was announced"
    assert scenario.api.requests.count(CallKind.LIST) > scenario.api.requests.count(CallKind.VIEW)


async def test_views_replace_a_refused_list(scenario: IncidentScenario) -> None:
    scenario.api.add_fault(Fault(kind="401-permission", call=CallKind.LIST))
    async with daemon_in_process.running(scenario.folder, viewed(scenario, "v1", "v2")):
        scenario.api.set_training(SERVICES[0], "pop", "v1", "completed")
        await scenario.announced("succeeded")
    assert scenario.kinds() == ["succeeded"]
    assert scenario.api.requests.count(CallKind.LIST) == 1


async def test_every_service_of_an_account_is_found_and_later_ones_too(scenario: IncidentScenario) -> None:
    text = daemon_in_process.settings(scenario.base_url, ["*"], {"hook": scenario.hook.url})
    async with daemon_in_process.running(scenario.folder, text):
        scenario.api.set_training(SERVICES[0], "pop", "v1", "completed")
        await scenario.announced("succeeded")
        scenario.api.set_training("later", "pop", "v1", "learning")
        await daemon_in_process.eventually(lambda: any(shown.subject[0] == "later" for shown in scenario.api.shown))
        scenario.api.set_training("later", "pop", "v1", "learningFailed")
        await scenario.announced("failed")
    assert scenario.kinds() == ["succeeded", "appeared", "appeared", "failed"]


async def test_an_incident_outlives_a_restart_and_is_closed_once(scenario: IncidentScenario) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text):
        number = scenario.api.add_fault(Fault(kind="500"))
        await scenario.announced("unreachable")
    async with daemon_in_process.running(scenario.folder, scenario.text) as daemon:
        await more_polls(daemon, scenario)
        scenario.api.faults.remove(number)
        await scenario.announced("recovered")
        await more_polls(daemon, scenario)
    assert scenario.kinds() == ["unreachable", "recovered"]


async def test_a_clock_skew_of_more_than_a_minute_is_an_incident_with_the_seconds(
    scenario: IncidentScenario,
) -> None:
    async with daemon_in_process.running(scenario.folder, scenario.text):
        scenario.api.clock_offset_seconds = 90.0
        (event,) = await scenario.announced("clock-skew")
        scenario.api.clock_offset_seconds = 0.0
        await scenario.announced("clock-skew", "recovered")
    assert "+90 s" in event["incident"]["detail"] or "+89 s" in event["incident"]["detail"]
    assert event["service"] is None


async def test_a_rejected_signature_with_a_skewed_clock_has_the_cause_clock(scenario: IncidentScenario) -> None:
    scenario.api.clock_offset_seconds = -400.0
    async with daemon_in_process.running(scenario.folder, scenario.text):
        (event,) = await scenario.announced("clock-skew")
    assert (event["kind"], event["incident"]["cause"]) == ("clock-skew", "clock")
