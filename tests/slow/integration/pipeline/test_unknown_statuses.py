"""R11: statuses and types that AiTEMS does not document, beside trainings that change as usual."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.core.event import Kind
from watcher.simulator import serve

STATUSES = ("hibernating", "COMPLETED", "Learning", "완료", "learning ", "0", "null", "gone", "*")
TYPES = ("pop", "quantum-pop", "새로운")


async def test_r11_an_unknown_status_is_recorded_unchanged_and_announced_once_per_training(tmp_path: Path) -> None:
    api, repeats = RecordingSimulator(), rounds(few=2, full=20)
    async with serve(api) as simulator, listening(Inbox()) as hook:
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(
            tmp_path, daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        ):
            async with changes_under_way(api, 11):
                for _ in range(repeats):
                    for status in (*STATUSES, "learning"):
                        shown = len(api.shown)
                        for training_type in TYPES:
                            api.set_training(SERVICES[0], training_type, "odd", status)
                        await daemon_in_process.eventually(lambda shown=shown: len(api.shown) > shown + 60, 60)  # type: ignore[misc]
            await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    assert violations(evidence) == []
    odd = [announced.event for announced in evidence.announced if announced.event.version == "odd"]
    announced = {(event.training_type, event.to_status) for event in odd}
    assert announced >= {(training_type, status) for training_type in TYPES for status in STATUSES[1:]}
    alerts = Counter((event.training_type, event.to_status) for event in odd if event.kind is Kind.UNKNOWN_STATUS)
    assert set(alerts.values()) == {1}, "an unknown status was announced more than once for a training"
