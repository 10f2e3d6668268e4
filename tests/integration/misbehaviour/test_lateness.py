"""Services that hang until a long deadline do not make the others wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.misbehaviour.call_log import Clerk, longest_gap
from tests.integration.misbehaviour.fault_run import INTERVAL_SECONDS, ON_TIME_SECONDS
from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.simulator import Fault, serve

OTHERS = ("other0", "other1", "other2")

# A wait that the watcher causes comes back each time; one that the machine causes does not.
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.flaky(reruns=2)]


async def longest_wait(tmp_path: Path, hanging: int, strikes: int, *, from_strike: int = 0) -> float:
    """Let services hang to a deadline of 3 s; return the longest gap between two looks of another service."""
    api = Clerk()
    dark = [f"dark{number:02}" for number in range(hanging)]
    for service in (*dark, *OTHERS):
        api.set_training(service, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, [*dark, *OTHERS], {"hook": hook.url})
        async with daemon_in_process.running(tmp_path, text.replace('timeout = "2s"', 'timeout = "3s"')):
            for service in dark:
                api.add_fault(Fault(kind="hang", service=service))
            await daemon_in_process.eventually(lambda: api.struck() >= from_strike * hanging)
            since = api.monotonic()
            await daemon_in_process.eventually(lambda: api.struck() >= strikes * hanging, 60)
            times = {service: [at for at in api.listed(service) if at >= since] for service in OTHERS}
            gaps = [longest_gap([*moments, api.monotonic()]) for moments in times.values()]
    print(f"\n{hanging} hang: the others waited at most {max(gaps):.2f} s")
    return max(gaps)


@pytest.mark.parametrize("hanging", [1, 7])
async def test_r9_services_that_hang_hold_up_no_other(hanging: int, tmp_path: Path) -> None:
    assert await longest_wait(tmp_path, hanging, 2) <= INTERVAL_SECONDS + ON_TIME_SECONDS


async def test_as_many_hanging_services_as_there_are_turns_hold_up_the_others_once(tmp_path: Path) -> None:
    # The first time nobody can know that they hang; from then on they may hold half of the turns.
    assert await longest_wait(tmp_path, 8, 3, from_strike=2) <= INTERVAL_SECONDS + ON_TIME_SECONDS
