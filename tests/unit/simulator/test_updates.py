"""Updates of interval services: "Get update list", and the schedule in "Get service"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.simulator.fake_clock import START, FakeClock
from watcher.simulator import CallKind, ScriptError, Simulator, UpdateChange
from watcher.simulator.calls import Call, SimulatedAnswer, SimulationTime, answer
from watcher.simulator.script import parse_script
from watcher.simulator.truth import Truth
from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, Update, World

QUERY = "type=pop&trainVersion=p1"


def update(version: str, *steps: tuple[float, str], **facts: Any) -> Update:
    return Update(version=version, life=Life(tuple(Step(seconds, status) for seconds, status in steps)), **facts)


def make_world(*updates: Update, service_type: ServiceType = ServiceType.INTERVAL) -> World:
    life = Life((Step(0, "completed"), Step(50_000, None)))
    training = Training(type="pop", version="p1", life=life, updates=updates)
    return World((SimulatedService(id="hourly", name="Hourly", type=service_type, trainings=(training,)),))


WORLD = make_world(
    update("u1", (600, "learning"), (900, "completed"), users=1204),
    update("u2", (4200, "learning"), (4300, "learningFailed")),
    update("u3", (9000, "learning"), due_seconds=7800),
)


def ask(seconds: float, kind: CallKind = CallKind.UPDATES, world: World = WORLD, **call: str) -> SimulatedAnswer:
    asked = {"service": "hourly", "query": QUERY if kind is CallKind.UPDATES else "", **call}
    return answer(Call(kind=kind, path="/as/received", **asked), Truth(world), SimulationTime(seconds, START))


def listed(seconds: float, **call: Any) -> Any:
    document: Any = ask(seconds, **call).document
    return document["updates"]


def service(seconds: float, world: World = WORLD) -> Any:
    return ask(seconds, CallKind.SERVICE, world).document


def test_an_update_has_exactly_the_documented_fields() -> None:
    """Source: page "Get update list"."""
    assert ask(1000).document == {
        "updates": [
            {
                "updateVersion": "u1",
                "status": "completed",
                "type": "pop",
                "createdDate": "2026-11-23T11:10:00.000",
                "finishedDate": "2026-11-23T11:15:00.000",
                "updateResult": {"inputUsersCnt": 1204},
            }
        ]
    }


def test_an_update_in_progress_has_no_end_and_no_result() -> None:
    assert list(listed(700)[0]) == ["updateVersion", "status", "type", "createdDate"]


def test_a_failed_update_has_an_end_and_no_result() -> None:
    assert list(listed(4300)[1]) == ["updateVersion", "status", "type", "createdDate", "finishedDate"]


def test_updates_appear_one_after_another_and_a_late_one_at_its_own_time() -> None:
    assert [len(listed(seconds)) for seconds in (599, 600, 4200, 7800, 8999, 9000)] == [0, 1, 2, 2, 2, 3]


@pytest.mark.parametrize("query", ["type=pop&trainVersion=p2", "type=relatedItem&trainVersion=p1"])
def test_another_training_has_no_updates(query: str) -> None:
    assert listed(1000, query=query) == []


def test_a_deleted_training_has_no_updates() -> None:
    assert listed(50_000) == []


@pytest.mark.parametrize(
    ("query", "missing"), [("type=pop", "trainVersion"), ("trainVersion=p1", "type"), ("type=&trainVersion=p1", "type")]
)
def test_both_query_keys_are_required(query: str, missing: str) -> None:
    given = ask(1000, query=query)
    document: Any = given.document
    assert (given.http_status, document["error"]["details"]) == (400, f"{missing} is required.")


def test_the_updates_of_an_unknown_service_are_a_404() -> None:
    assert ask(1000, service="none").http_status == 404


def test_the_service_is_busy_during_an_update_and_shows_its_changes() -> None:
    assert [service(seconds)["status"] for seconds in (599, 600, 900)] == [
        "scheduled",
        "scheduledLearning",
        "scheduled",
    ]
    assert service(950)["updatedDate"] == "2026-11-23T11:15:00.000"


@pytest.mark.parametrize(
    ("seconds", "scheduled"),
    [
        (0, "11:10:00.000"),
        (600, "12:10:00.000"),
        (7700, "13:10:00.000"),
        # The third update is late by now, and no fourth one is planned: the cycle of six hours goes on.
        (8000, "19:10:00.000"),
        (7800 + 6 * 3600, "2026-11-24T01:10:00.000"),
    ],
)
def test_the_schedule_names_the_next_planned_update_and_goes_on_after_the_last(seconds: float, scheduled: str) -> None:
    assert service(seconds)["scheduledDate"].endswith(scheduled)


def test_without_updates_the_schedule_counts_from_the_hour_of_the_start() -> None:
    empty = make_world()
    assert [service(seconds, empty)["scheduledDate"][11:16] for seconds in (0, 6 * 3600, 6 * 3600 - 1)] == [
        "17:00",
        "23:00",
        "17:00",
    ]


def test_only_an_interval_service_has_updates() -> None:
    with pytest.raises(ValueError, match='updates: only for a service of type "interval"'):
        make_world(update("u1", (1, "learning")), service_type=ServiceType.BATCH)


def test_control_adds_and_changes_an_update() -> None:
    clock = FakeClock()
    simulator = Simulator(WORLD, clock=clock)
    clock.pass_seconds(650)
    assert simulator.set_update("hourly", "pop", "p1", "u1", "learningFailed")
    assert simulator.set_update("hourly", "pop", "p1", "u9", "stalled", users=3)
    statuses = [(item["updateVersion"], item["status"]) for item in listed_by(simulator)]
    assert statuses == [("u1", "learningFailed"), ("u9", "stalled")]
    assert [change.status for change in simulator.update_history() if change.update == "u1"] == [
        "learning",
        "learningFailed",
    ]


def listed_by(simulator: Simulator) -> Any:
    document: Any = simulator.answer(Call(kind=CallKind.UPDATES, path="", service="hourly", query=QUERY)).document
    return document["updates"]


@pytest.mark.parametrize("where", [("hourly", "pop", "p9"), ("none", "pop", "p1")])
def test_control_refuses_an_update_of_an_unknown_training(where: tuple[str, str, str]) -> None:
    assert not Simulator(WORLD, clock=FakeClock()).set_update(*where, "u1", "learning")


def test_control_refuses_an_update_in_a_batch_service() -> None:
    simulator = Simulator(make_world(service_type=ServiceType.BATCH), clock=FakeClock())
    assert not simulator.set_update("hourly", "pop", "p1", "u1", "learning")


def test_the_history_has_the_statuses_of_updates_in_order_of_time() -> None:
    changes = Truth(WORLD).update_changes(600, 4200)
    assert changes == [
        UpdateChange(service="hourly", type="pop", version="p1", update="u1", status="completed", at_seconds=900),
        UpdateChange(service="hourly", type="pop", version="p1", update="u2", status="learning", at_seconds=4200),
    ]


SCRIPT = """
[[service]]
id = "hourly"
type = "{type}"

[[service.training]]
type = "pop"
version = "p1"
life = [{{ at = "0s", status = "completed" }}]

[[service.training.update]]
version = "u1"
users = 7
life = [{{ at = "1h", status = "{status}" }}, {{ at = "{until}", status = "completed" }}]
"""


@pytest.mark.parametrize("life", [Life(), Life((Step(1, "learning"),), loop_seconds=5)])
def test_an_update_has_steps_and_does_not_loop(life: Life) -> None:
    with pytest.raises(ValueError, match="an update has one step or more, and does not loop"):
        Update(version="u1", life=life)


def parsed(service_type: str = "interval", status: str = "learning", until: str = "2h") -> World:
    return parse_script(SCRIPT.format(type=service_type, status=status, until=until), Path("s.toml")).world


def test_a_script_describes_updates() -> None:
    (read,) = parsed().services[0].trainings[0].updates
    assert read == update("u1", (3600, "learning"), (7200, "completed"), users=7)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"service_type": "batch"}, 'updates: only for a service of type "interval"'),
        ({"status": "lerning"}, "service[0].training[0].update[0].life[0].status: 'lerning' is not a status"),
        ({"until": "1h"}, "put the steps in order of time"),
    ],
)
def test_a_faulty_update_in_a_script_is_refused(facts: dict[str, str], message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parsed(**facts)
    assert message in str(caught.value)
