"""How long it takes from a change at AiTEMS to the POST at a receiver, with five hundred trainings."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import house, soak
from tests.support.invariants import Life, violations
from tests.support.servers import Inbox, listening
from tests.support.tally import TALLY, remark
from tests.support.witness import Witness
from watcher.simulator import serve

pytestmark = [pytest.mark.slow, pytest.mark.alone]

Name = tuple[str, str]


async def test_r30_five_hundred_trainings_at_an_interval_of_a_second_are_told_soon(tmp_path: Path) -> None:
    changes = 200 if TALLY.full else 40
    draw, api, changed = random.Random(30), Witness(), dict[Name, datetime]()  # noqa: S311 - which changes when
    names = [(service, f"v{n}") for service in soak.SERVICES for n in range(soak.TRAININGS_EACH)]
    for service, version in names:
        api.set_training(service, "pop", version, "waiting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = house.settings(simulator.base_url, list(soak.SERVICES), {"hook": hook.url})
        (tmp_path / "config.toml").write_text(text.replace('interval = "200ms"', 'interval = "1s"'))
        born = datetime.now(UTC)
        async with soak.daemon(tmp_path) as process:
            await house.eventually(lambda: len(api.shown) >= 2 * len(names), 60)
            for service, version in draw.sample(names, changes):
                api.set_training(service, "pop", version, "learning")
                changed[service, version] = datetime.now(UTC)
                await asyncio.sleep(draw.uniform(0.02, 0.2))
            await house.eventually(lambda: len(hook.events()) >= changes, 60)
            process.terminate()
            assert await process.wait() == 0
        life = Life(born, datetime.now(UTC))
    assert violations(house.evidence(tmp_path, api.shown, [life], {"hook": hook.received})) == []
    waits = sorted(
        (item.at - changed[event["service"], event["version"]]).total_seconds()
        for item in hook.received
        for event in item.events
    )
    # A figure and no bar: how loaded the machine is decides too.
    remark(f"change to POST: p50 {waits[len(waits) // 2]:.2f} s, p99 {waits[int(len(waits) * 0.99)]:.2f} s")
