"""Everyone that a soaked daemon talks to, on virtual time, with their moods and their long absences."""

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
"""How many of the requests each kind of fault strikes."""
REFUSED: Final = 0.02
"""How many of the deliveries are refused."""
UNANSWERED: Final = 0.002
"""How many of the deliveries arrive and are not answered."""
REFUSALS: Final = (400, 401, 403, 404, 500, 503, 504)
RUBBISH: Final = (
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
WISHES: Final = ("1", "30", "soon", "-5", "1000000000")

Fault = Callable[[virtual_daemon.VirtualNetwork], HttpResult]


def _refused(status: int, code: str = "200", headers: Mapping[str, str] = MappingProxyType({})) -> Fault:
    return lambda world: world.answer(status, {"error": {"errorCode": code, "message": "no"}}, headers=headers)


def _throttled(code: str, wish: str) -> Fault:
    return _refused(429, code, {"retry-after": wish})


def _rubbish(body: bytes) -> Fault:
    return lambda world: replace(world.answer(200, None), body=body)


def _nameless(world: virtual_daemon.VirtualNetwork) -> HttpResult:
    now = world.clock.utc_now()
    return NotSent(reason=FailureReason.DNS, detail="no such name", asked_at=now, ended_at=now)


FAULTS: Final[tuple[Fault, ...]] = (
    *(_refused(status) for status in REFUSALS),
    *(_rubbish(body) for body in RUBBISH),
    *(_throttled(code, "1") for code in THROTTLES),
    _nameless,
    lambda world: virtual_daemon.late(world.clock, asked_at=world.clock.utc_now()),
)
AWAY: Final = _refused(503, "500")


@dataclass(slots=True)
class FaultSchedule:
    """What is away at the moment."""

    api_away: bool = False
    storm: bool = False
    chat_away: bool = False
    hook_away: bool = False
    calm: bool = False
    """No training changes, since the wall clock is about to be wrong."""


@dataclass(slots=True)
class VirtualServices:
    """Everyone that the daemon talks to."""

    world: virtual_daemon.VirtualNetwork
    draw: random.Random
    drawer: virtual_daemon.Drawer
    """What the webhook got."""
    fault_schedule: FaultSchedule = field(default_factory=FaultSchedule)
    fair: bool = False
    """Whether nothing fails any more."""
    struck: int = 0
    posts: int = 0
    deadlines: int = 0
    longest_delay: float = 0.0

    @property
    def peers(self) -> dict[str, virtual_daemon.Peer]:
        """Everyone by host."""
        return {
            "api.example": self.world.ask,
            "hook.example": self.hook,
            "chat.example": self.chat,
            "beat.example": self.beat,
        }

    def trouble(self, _now: float, _path: str) -> HttpResult | None:
        """Say how a request to the API fails, if it does."""
        fault = self._fault()
        return None if fault is None or self.fair else fault(self.world)

    def _fault(self) -> Fault | None:
        if self.fault_schedule.api_away:
            return AWAY
        if self.fault_schedule.storm:
            return _throttled(self.draw.choice(THROTTLES), self.draw.choice(WISHES))
        place = int(self.draw.random() / RATE)
        if place >= len(FAULTS):
            return None
        self.struck += 1
        return FAULTS[place]

    async def hook(self, request: HttpRequest, _settings: HttpSettings) -> HttpResult:
        """Take a webhook in, or not."""
        refusal = await self._refusal(request, away=self.fault_schedule.hook_away)
        if refusal is not None:
            return refusal
        assert request.body is not None
        item = Received(self.world.clock.true_now(), {"webhook-id": str(request.headers["webhook-id"])}, request.body)
        self.drawer.put(item)
        if not self.fault_schedule.hook_away and not self.world.clock.step:
            self._note_delay(item)
        if self.draw.random() < UNANSWERED and not self.fair:
            return virtual_daemon.late(self.world.clock, asked_at=self.world.clock.utc_now())
        return self._said(200)

    def _note_delay(self, item: Received) -> None:
        recorded = datetime.fromisoformat(item.json["timestamp"])
        self.longest_delay = max(self.longest_delay, (item.at - recorded).total_seconds())

    def take_longest_delay(self) -> float:
        """Return the longest from an event's record to its arrival since the last call."""
        longest, self.longest_delay = self.longest_delay, 0.0
        return longest

    async def chat(self, request: HttpRequest, _settings: HttpSettings) -> HttpResult:
        """Post into the channel, or not."""
        refusal = await self._refusal(request, away=self.fault_schedule.chat_away)
        if refusal is not None:
            return refusal
        assert request.body is not None
        assert json.loads(request.body)["text"]
        self.posts += 1
        return self._said(200)

    async def beat(self, _request: HttpRequest, _settings: HttpSettings) -> HttpResult:
        """Hear the heart beat."""
        self.deadlines += 1
        return self._said(200)

    async def _refusal(self, request: HttpRequest, *, away: bool) -> HttpResult | None:
        if request.on_write is not None:
            request.on_write()
        await asyncio.sleep(0.02)
        chance = 1.0 if self.fair else self.draw.random()
        if away or chance < REFUSED / 2:
            return self._said(503)
        return self._said(429, {"retry-after": "1"}) if chance < REFUSED else None

    def _said(self, status: int, headers: dict[str, str] | None = None) -> Answered:
        now = self.world.clock.utc_now()
        return Answered(
            status=status, headers=Headers((headers or {}).items()), body=b"ok", asked_at=now, answered_at=now
        )
