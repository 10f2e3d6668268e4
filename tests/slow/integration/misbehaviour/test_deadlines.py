"""R9: a call ends at its deadline, and a service that stalls costs the others no event."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import remark, rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.keys import FixedKeys
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.clock import Clock
from watcher.core.polling.result import PollResult
from watcher.core.secret import Secret
from watcher.core.training.model import TrainingRef
from watcher.http import HttpClient, HttpSettings
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY, Fault, serve

pytestmark = pytest.mark.flaky(reruns=2)

STALLS = ("hang", "hang-mid-body", "drip", "drip-headers", "endless", "slow")
"""The endless body ends at the byte limit or at the deadline."""
DEADLINE_SECONDS = 1.0
GRACE_SECONDS = 1.0
STALLED = "7wxgu1abcde"


@pytest.mark.parametrize("kind", STALLS)
async def test_r9_a_call_ends_at_its_deadline(kind: str) -> None:
    api, clock = RecordingSimulator(), Clock()
    api.add_fault(Fault(kind=kind))
    api.set_training(STALLED, "pop", "v1", "learning")
    http = HttpClient(HttpSettings(timeout_seconds=DEADLINE_SECONDS), clock)
    keys = FixedKeys(KeyPair(Secret(SIMULATOR_ACCESS_KEY), Secret(SIMULATOR_SECRET_KEY)))
    async with serve(api) as simulator:
        account = AccountSpec(name="main", base_url=simulator.base_url, keys=keys)
        client = AitemsClient(http, account, clock, Budget(per_second=100.0, max_concurrency=8, clock=clock))
        began = clock.monotonic()
        answer = await client.view(TrainingRef("main", STALLED, "pop", "v1"))
        took = clock.monotonic() - began
        await http.aclose()
    assert not isinstance(answer, PollResult)
    assert took <= DEADLINE_SECONDS + GRACE_SECONDS
    remark(f"{kind} ended after {took:.2f} s of {DEADLINE_SECONDS:.0f} s")


async def test_r9_a_service_that_stalls_costs_the_others_no_event(tmp_path: Path) -> None:
    api = RecordingSimulator()
    api.set_training(STALLED, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, [STALLED, *SERVICES], {"hook": hook.url})
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text.replace('timeout = "2s"', 'timeout = "500ms"')):
            async with changes_under_way(api, 9):
                for _ in range(rounds(few=1, full=5)):
                    for kind in STALLS:
                        api.add_fault(Fault(kind=kind, service=STALLED))
                        announced = len(hook.received)
                        await daemon_in_process.eventually(
                            lambda announced=announced: len(hook.received) > announced + 5,  # type: ignore[misc]
                            60,
                        )
                        api.faults.clear()
            await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    # The simulator logs a status as shown although the fault has spoiled the response.
    shown = [answer for answer in api.shown if answer.subject[0] != STALLED]
    evidence = daemon_in_process.evidence(tmp_path, shown, [life], {"hook": hook.received})
    assert violations(evidence) == []
