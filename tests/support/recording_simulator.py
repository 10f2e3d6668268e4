"""A simulator that records its answers, for comparison with the alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

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
        self._listed: dict[str, dict[tuple[str, str], str]] = {}
        """The statuses in the current list of each service."""

    def answer(self, call: Call, ago_seconds: float = 0.0) -> SimulatedAnswer:
        """Return the answer, and record its statuses."""
        answer = super().answer(call, ago_seconds)
        if answer.http_status == HTTPStatus.OK and call.kind in {CallKind.VIEW, CallKind.LIST}:
            self._record(call, answer.document)
        return answer

    def _record(self, call: Call, document: object) -> None:
        assert isinstance(document, dict)
        now, kind = datetime.now(UTC), call.kind
        for item in self._new_in_list(call, document["trains"]) if kind is CallKind.LIST else [document]:
            subject = (item["serviceId"], item["type"], item["version"])
            self.shown.append(ShownAnswer(now, subject, item["status"], kind))
            self.on_shown(self.shown[-1])

    def _new_in_list(self, call: Call, items: list[Any]) -> list[Any]:
        """Return the records that a list shows for the first time, or again with another status, which counts.

        All requests with an offset belong to the list that the last request without one began.
        """
        listed = self._listed.setdefault(call.service, {})
        if not offset_of(call):
            listed.clear()
        new = [item for item in items if listed.get((item["type"], item["version"])) != item["status"]]
        listed.update({(item["type"], item["version"]): item["status"] for item in new})
        return new


def offset_of(call: Call) -> int:
    """Return the offset that a list call asks for."""
    return int(parse_qs(call.query).get("offset", ["0"])[0])
