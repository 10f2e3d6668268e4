"""R26: an event that cannot be rendered is sent with the built-in text, once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.core.event import Event
from watcher.receivers import payload
from watcher.simulator import serve


async def test_r26_an_event_that_cannot_be_rendered_is_sent_once_with_the_built_in_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = payload._data
    struck: list[str] = []

    def fail(event: Event, *args: Any) -> Any:
        """Raise for every event with a record; render others as usual."""
        if event.record:
            struck.append(event.id)
            raise RuntimeError("a planted fault")
        return render(event, *args)

    monkeypatch.setattr(payload, "_data", fail)
    api = RecordingSimulator()
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text):
            async with changes_under_way(api, 26):
                for _ in range(rounds(few=2, full=20)):
                    announced = len(hook.received)
                    await daemon_in_process.eventually(
                        lambda announced=announced: len(hook.received) > announced + 5,  # type: ignore[misc]
                        60,
                    )
            await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    assert violations(evidence) == []
    assert len(set(struck)) > 5
    assert {event["id"] for event in hook.events()} >= set(struck)
