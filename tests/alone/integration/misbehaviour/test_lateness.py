"""Services that hang until a long deadline do not delay the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alone.integration.misbehaviour.call_log import CallLog, longest_gap
from tests.alone.integration.misbehaviour.fault_run import INTERVAL_SECONDS, ON_TIME_SECONDS
from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.simulator import Fault, serve

OTHERS = ("other0", "other1", "other2")

# A delay that the watcher causes comes back in a rerun; a delay of the machine does not.
pytestmark = pytest.mark.flaky(reruns=2)


async def longest_wait(tmp_path: Path, hanging: int, strikes: int, *, from_strike: int = 0) -> float:
    """Let services hang until a deadline of 3 s; return the longest time between two polls of another service."""
    api = CallLog()
    stalled = [f"hanging{number:02}" for number in range(hanging)]
    for service in (*stalled, *OTHERS):
        api.set_training(service, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, [*stalled, *OTHERS], {"hook": hook.url})
        async with daemon_in_process.running(tmp_path, text.replace('timeout = "2s"', 'timeout = "3s"')):
            for service in stalled:
                api.add_fault(Fault(kind="hang", service=service))
            await daemon_in_process.eventually(lambda: api.struck() >= from_strike * hanging)
            since = api.monotonic()
            await daemon_in_process.eventually(lambda: api.struck() >= strikes * hanging, 60)
            times = {service: [at for at in api.listed(service) if at >= since] for service in OTHERS}
            gaps = [longest_gap([*listed, api.monotonic()]) for listed in times.values()]
    print(f"\n{hanging} services hang: at most {max(gaps):.2f} s between two polls of the others")
    return max(gaps)


@pytest.mark.parametrize("hanging", [1, 7])
async def test_r9_services_that_hang_do_not_delay_the_others(hanging: int, tmp_path: Path) -> None:
    assert await longest_wait(tmp_path, hanging, 2) <= INTERVAL_SECONDS + ON_TIME_SECONDS


async def test_hanging_services_that_use_all_concurrent_requests_delay_the_others_once(tmp_path: Path) -> None:
    # The first time it is unknown that they hang. From then on they may use half of the concurrent requests.
    assert await longest_wait(tmp_path, 8, 3, from_strike=2) <= INTERVAL_SECONDS + ON_TIME_SECONDS
