"""A simulator that records its answers, for comparison with the alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from watcher.simulator import CallKind, Simulator
from watcher.simulator.calls import Call, SimulatedAnswer


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """One status of one training in one answer."""

    at: datetime
    subject: tuple[str, str, str]
    """SimulatedService, type, version."""
    status: str
    kind: CallKind


class RecordingSimulator(Simulator):
    """A simulator that records each status in its answers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.shown: list[ShownAnswer] = []
        self.on_shown: Callable[[ShownAnswer], object] = lambda _: None

    def answer(self, call: Call, ago_seconds: float = 0.0) -> SimulatedAnswer:
        """Return the answer, and record its statuses."""
        answer = super().answer(call, ago_seconds)
        if answer.http_status == HTTPStatus.OK and call.kind in {CallKind.VIEW, CallKind.LIST}:
            self._record(call.kind, answer.document)
        return answer

    def _record(self, kind: CallKind, document: object) -> None:
        assert isinstance(document, dict)
        now = datetime.now(UTC)
        for item in document.get("trains", [document]):
            subject = (item["serviceId"], item["type"], item["version"])
            self.shown.append(ShownAnswer(now, subject, item["status"], kind))
            self.on_shown(self.shown[-1])
