"""The time from a change at AiTEMS to the POST at a receiver, with five hundred trainings."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process, soak
from tests.support.fault_table import TALLY, remark
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

# A delay of the watcher appears in every run; a delay of the machine does not.
pytestmark = pytest.mark.flaky(reruns=2)

LIMIT_SECONDS: Final = soak.INTERVAL_SECONDS + 1.0
STATUSES: Final = ("learning", "completed", "learningFailed")
"""A status that one poll confirms, and two that a view must confirm."""

Name = tuple[str, str]


async def test_r30_changes_of_five_hundred_trainings_polled_each_second_arrive_soon(tmp_path: Path) -> None:
    changes = 200 if TALLY.full else 40
    draw, api, changed = random.Random(30), RecordingSimulator(), dict[Name, datetime]()  # noqa: S311 - the changes
    names = [(service, f"v{n}") for service in soak.SERVICES for n in range(soak.TRAININGS_EACH)]
    for service, version in names:
        api.set_training(service, "pop", version, "waiting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(soak.SERVICES), {"hook": hook.url})
        (tmp_path / "config.toml").write_text(text.replace('interval = "200ms"', 'interval = "1s"'))
        started_at = datetime.now(UTC)
        async with soak.daemon(tmp_path) as process:
            await daemon_in_process.eventually(lambda: len(api.shown) >= 2 * len(names), 60)
            for service, version in draw.sample(names, changes):
                changed[service, version] = datetime.now(UTC)
                api.set_training(service, "pop", version, draw.choice(STATUSES))
                await asyncio.sleep(draw.uniform(0.02, 0.2))
            await daemon_in_process.eventually(lambda: len(hook.events()) >= changes, 60)
            process.terminate()
            assert await process.wait() == 0
        life = DaemonRun(started_at, datetime.now(UTC))
    assert violations(daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})) == []
    waits = sorted(arrived - changed[name] for name, arrived in first_arrivals(hook).items())
    assert len(waits) == changes
    median, slow = (waits[int(changes * part)].total_seconds() for part in (0.5, 0.99))
    remark(f"change to POST: p50 {median:.2f} s, p99 {slow:.2f} s")
    assert slow < LIMIT_SECONDS


def first_arrivals(hook: Inbox) -> dict[Name, datetime]:
    """Return the time of the first message about each training."""
    arrived: dict[Name, datetime] = {}
    for item in hook.received:
        for event in item.events:
            arrived.setdefault((event["service"], event["version"]), item.at)
    return arrived
