from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.simulator.fake_clock import START, FakeClock
from watcher.simulator import CallKind, Fault, Life, SimulatedService, Simulator, Step, Training, World
from watcher.simulator.calls import Call

WORLD = World(
    (
        SimulatedService(
            id="shop",
            name="Shop",
            trainings=(Training(type="pop", version="p1", life=Life((Step(0, "learning"), Step(5, "completed")))),),
        ),
    )
)
VIEW = Call(kind=CallKind.VIEW, path="", service="shop", train_type="pop", version="p1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def simulator(clock: FakeClock) -> Simulator:
    return Simulator(WORLD, clock=clock, seed=1)


def shown(simulator: Simulator, ago_seconds: float = 0) -> Any:
    return simulator.answer(VIEW, ago_seconds).document


def test_trainings_change_with_time(simulator: Simulator, clock: FakeClock) -> None:
    assert shown(simulator)["status"] == "learning"
    clock.pass_seconds(5)
    assert shown(simulator)["status"] == "completed"


def test_an_older_state_is_available_but_none_before_the_start(simulator: Simulator, clock: FakeClock) -> None:
    clock.pass_seconds(5)
    assert shown(simulator, ago_seconds=1)["status"] == "learning"
    assert shown(simulator, ago_seconds=100)["status"] == "learning"


def test_setting_a_status_overrides_the_script_from_now_on(simulator: Simulator, clock: FakeClock) -> None:
    clock.pass_seconds(2)
    simulator.set_training("shop", "pop", "p1", "stopping")
    clock.pass_seconds(10)
    assert shown(simulator)["status"] == "stopping"


def test_setting_a_status_keeps_the_facts_that_are_not_given(simulator: Simulator) -> None:
    simulator.set_training("shop", "pop", "p1", "ready", hp_config={"is_enabled": True}, description="one")
    simulator.set_training("shop", "pop", "p1", "learning", inference=True, created_date="2024-07-30T11:25:36")
    assert shown(simulator) == {
        "serviceId": "shop",
        "type": "pop",
        "hpConfig": {"is_enabled": True},
        "version": "p1",
        "description": "one",
        "status": "learning",
        "createdDate": "2024-07-30T11:25:36",
        "inference": True,
    }


def test_setting_a_training_of_an_unknown_service_adds_both(simulator: Simulator) -> None:
    simulator.set_training("new", "pop", "v1", "waiting")
    assert [service.id for service in simulator.truth.services] == ["shop", "new"]
    assert [state.status for state in simulator.truth.trainings("new", simulator.seconds)] == ["waiting"]


def test_the_history_has_utc_times(simulator: Simulator, clock: FakeClock) -> None:
    clock.pass_seconds(7)
    simulator.delete_training("shop", "pop", "p1")
    dated = [(change.change.status, change.at) for change in simulator.history()]
    assert dated == [
        ("learning", START),
        ("completed", START + timedelta(seconds=5)),
        (None, START + timedelta(seconds=7)),
    ]


def test_the_history_can_be_limited(simulator: Simulator, clock: FakeClock) -> None:
    clock.pass_seconds(7)
    assert [change.change.status for change in simulator.history(0)] == ["completed"]
    assert [change.change.status for change in simulator.history(-1, 0)] == ["learning"]


def test_a_wrong_server_clock_does_not_affect_trainings_and_history(clock: FakeClock) -> None:
    simulator = Simulator(WORLD, clock=clock, clock_offset_seconds=-600)
    clock.pass_seconds(5)
    assert simulator.server_now() == START + timedelta(seconds=5 - 600)
    assert simulator.history()[-1].at == START + timedelta(seconds=5)


def test_a_fault_applies_from_the_time_it_was_set(simulator: Simulator, clock: FakeClock) -> None:
    clock.pass_seconds(100)
    simulator.add_fault(Fault(kind="500", for_seconds=10))
    assert simulator.fault_for(VIEW) is not None
    clock.pass_seconds(10)
    assert simulator.fault_for(VIEW) is None


def test_an_unknown_kind_of_fault_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="no such fault: '5OO'; write one of 400, 401"):
        simulator.add_fault(Fault(kind="5OO"))


def test_the_same_seed_affects_the_same_requests(clock: FakeClock) -> None:
    def affected(seed: int) -> list[bool]:
        simulator = Simulator(WORLD, clock=clock, seed=seed, faults=[Fault(kind="500", rate=0.5)])
        return [simulator.fault_for(VIEW) is not None for _ in range(64)]

    assert affected(7) == affected(7)
    assert affected(7) != affected(8)
