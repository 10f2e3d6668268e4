"""A simulator on a real socket; its time passes only when a test advances the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.simulator.fake_clock import FakeClock
from watcher.simulator import Life, Running, SimulatedService, Simulator, Step, Training, World, serve

WORLD = World(
    (
        SimulatedService(
            id="shop",
            name="Shop",
            trainings=(
                Training(type="pop", version="p1", life=Life((Step(0, "learning"), Step(60, "completed")))),
                Training(type="relatedItem", version="r1", life=Life((Step(0, "waiting"),))),
            ),
        ),
        SimulatedService(id="news", name="News"),
    )
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def simulator(clock: FakeClock) -> Simulator:
    return Simulator(WORLD, clock=clock, seed=1)


@pytest.fixture
async def running(simulator: Simulator) -> AsyncIterator[Running]:
    async with serve(simulator) as served:
        yield served
