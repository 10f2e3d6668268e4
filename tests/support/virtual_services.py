"""The API and the receivers of a soak on virtual time, with random faults and long outages."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from tests.support import virtual_daemon
from tests.support.servers import Received
from watcher.http import Answered, FailureReason, Headers, HttpRequest, HttpResult, HttpSettings, NotSent

RATE: Final = 0.001
"""The share of requests that each kind of fault affects."""
REFUSED: Final = 0.02
"""The share of deliveries that are refused."""
UNANSWERED: Final = 0.002
"""The share of deliveries that arrive without an answer."""
REFUSALS: Final = (400, 401, 403, 404, 500, 503, 504)
INVALID_BODIES: Final = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"<html>502</html>",
    b'{"trains":[{"status":null}]}',
    b"\xff\xfe",
    b"[" * 9000,
)
THROTTLES: Final = ("400", "410", "420")
RETRY_AFTERS: Final = ("1", "30", "soon", "-5", "1000000000")

FaultAnswer = Callable[[virtual_daemon.VirtualNetwork], HttpResult]


def _refused(status: int, code: str = "200", headers: Mapping[str, str] = MappingProxyType({})) -> FaultAnswer:
    return lambda api: api.answer(status, {"error": {"errorCode": code, "message": "no"}}, headers=headers)


def _throttled(code: str, retry_after: str) -> FaultAnswer:
    return _refused(429, code, {"retry-after": retry_after})


def _invalid_body(body: bytes) -> FaultAnswer:
    return lambda api: replace(api.answer(200, None), body=body)


def _unresolved(api: virtual_daemon.VirtualNetwork) -> HttpResult:
    now = api.clock.utc_now()
    return NotSent(reason=FailureReason.DNS, detail="no such name", asked_at=now, ended_at=now)


FAULTS: Final[tuple[FaultAnswer, ...]] = (
    *(_refused(status) for status in REFUSALS),
    *(_invalid_body(body) for body in INVALID_BODIES),
    *(_throttled(code, "1") for code in THROTTLES),
    _unresolved,
    lambda api: virtual_daemon.deadline_result(api.clock, asked_at=api.clock.utc_now()),
)
UNAVAILABLE: Final = _refused(503, "500")


@dataclass(slots=True)
class FaultSchedule:
    """The current outages."""

    api_away: bool = False
    throttling: bool = False
    chat_away: bool = False
    hook_away: bool = False
    changes_paused: bool = False
    """Whether trainings keep their statuses, around a wrong wall clock."""


@dataclass(slots=True)
class VirtualServices:
    """The API and the receivers of the daemon."""

    api: virtual_daemon.VirtualNetwork
    draw: random.Random
    arrivals: virtual_daemon.PickleLog
    """The requests at the webhook."""
    fault_schedule: FaultSchedule = field(default_factory=FaultSchedule)
    faults_off: bool = False
    """Whether all faults have ended."""
    struck: int = 0
    posts: int = 0
    heartbeats: int = 0
    longest_delay: float = 0.0

    @property
    def peers(self) -> dict[str, virtual_daemon.Peer]:
        """The functions of all hosts."""
        return {
            "api.example": self.api.serve,
            "hook.example": self.hook,
            "chat.example": self.chat,
            "beat.example": self.heartbeat,
        }

    def fault_answer(self, _now: float, _path: str) -> HttpResult | None:
        """Return the faulty answer to a request to the API, or ``None``."""
        fault = self._fault()
        return None if fault is None or self.faults_off else fault(self.api)

    def _fault(self) -> FaultAnswer | None:
        if self.fault_schedule.api_away:
            return UNAVAILABLE
        if self.fault_schedule.throttling:
            return _throttled(self.draw.choice(THROTTLES), self.draw.choice(RETRY_AFTERS))
        index = int(self.draw.random() / RATE)
        if index >= len(FAULTS):
            return None
        self.struck += 1
        return FAULTS[index]

    async def hook(self, request: HttpRequest, _settings: HttpSettings) -> HttpResult:
        """Accept or refuse a webhook."""
        refusal = await self._refusal(request, away=self.fault_schedule.hook_away)
        if refusal is not None:
            return refusal
        assert request.body is not None
        item = Received(self.api.clock.true_now(), {"webhook-id": str(request.headers["webhook-id"])}, request.body)
        self.arrivals.add(item)
        if not self.fault_schedule.hook_away and not self.api.clock.step:
            self._note_delay(item)
        if self.draw.random() < UNANSWERED and not self.faults_off:
            return virtual_daemon.deadline_result(self.api.clock, asked_at=self.api.clock.utc_now())
        return self._respond(200)

    def _note_delay(self, item: Received) -> None:
        recorded = datetime.fromisoformat(item.json["timestamp"])
        self.longest_delay = max(self.longest_delay, (item.at - recorded).total_seconds())

    def take_longest_delay(self) -> float:
        """Return the longest time from an event's record to its arrival since the last call."""
        longest, self.longest_delay = self.longest_delay, 0.0
        return longest

    async def chat(self, request: HttpRequest, _settings: HttpSettings) -> HttpResult:
        """Accept or refuse a message to the channel."""
        refusal = await self._refusal(request, away=self.fault_schedule.chat_away)
        if refusal is not None:
            return refusal
        assert request.body is not None
        assert json.loads(request.body)["text"]
        self.posts += 1
        return self._respond(200)

    async def heartbeat(self, _request: HttpRequest, _settings: HttpSettings) -> HttpResult:
        """Count a heartbeat."""
        self.heartbeats += 1
        return self._respond(200)

    async def _refusal(self, request: HttpRequest, *, away: bool) -> HttpResult | None:
        if request.on_write is not None:
            request.on_write()
        await asyncio.sleep(0.02)
        chance = 1.0 if self.faults_off else self.draw.random()
        if away or chance < REFUSED / 2:
            return self._respond(503)
        return self._respond(429, {"retry-after": "1"}) if chance < REFUSED else None

    def _respond(self, status: int, headers: dict[str, str] | None = None) -> Answered:
        now = self.api.clock.utc_now()
        return Answered(
            status=status, headers=Headers((headers or {}).items()), body=b"ok", asked_at=now, answered_at=now
        )
