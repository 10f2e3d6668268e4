"""Facts for the tests of reports and of the command line."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from watcher.cli.text.output import Screen
from watcher.cli.text.times import LocalTimes
from watcher.core.delivery.reason import read_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import PollState
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.reason import routed
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.store.views import DeliveryOutcome, EventHistory, QueueState

NOW: Final = datetime(2026, 11, 23, 2, 20, 11, tzinfo=UTC)
SHOP: Final = ServiceRef("main", "6wxgu1abcde")
POP: Final = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")
EVIL: Final = "\x1b[31mred\x1b[0m \x9b1m[bold]markup[/bold] \u202eback\nsecond line"
"""A hostile text from an API: terminal sequences, markup, a character that reorders, a line break."""
STEERING: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")

TIMES: Final = LocalTimes(NOW, UTC, wide=True)


def plain_screen() -> tuple[Screen, io.StringIO]:
    stream = io.StringIO()
    return Screen(stream, terminal=False, colour=False), stream


def terminal_screen(*, colour: bool) -> tuple[Screen, io.StringIO]:
    stream = io.StringIO()
    return Screen(stream, terminal=True, colour=colour), stream


def poll(service: ServiceRef = SHOP, training: TrainingRef | None = None, name: str | None = None) -> Poll:
    cadence = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(minutes=5))
    return Poll(service=service, training=training, cadence=cadence, attributes=WatchAttributes(name=name))


def state(**changes: Any) -> PollState:
    facts: dict[str, Any] = {"key": SHOP.subject, "good_asked_at": NOW, "good_answered_at": NOW}
    return PollState(**facts | changes)


def snapshot(**changes: Any) -> Snapshot:
    facts: dict[str, Any] = {"ref": POP, "status": "learning", "seen_after": NOW, "first_seen_at": NOW}
    return Snapshot(**facts | changes)


def event(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        "id": "evt_abcdefghijklmnop",
        "kind": Kind.FAILED,
        "subject": POP.subject,
        "seq": 1,
        "reason": "ended",
        "account": POP.account,
        "service": POP.service,
        "training_type": POP.type,
        "version": POP.version,
        "from_status": "learning",
        "to_status": "learningFailed",
        "after": NOW - timedelta(seconds=30),
        "before": NOW,
        "recorded_at": NOW,
    }
    return Event(**facts | changes)


def delivery_outcome(*, reason: str = "delivered", **changes: Any) -> DeliveryOutcome:
    facts: dict[str, Any] = {
        "receiver": "ml-ops",
        "receiver_seq": 1,
        "delivery_id": "msg_1",
        "state": State.DELIVERED,
        "reason": read_reason(reason),
        "attempts": 1,
        "settled_at": NOW,
        "answer": "200 ok",
    }
    return DeliveryOutcome(**facts | changes)


def announced(*delivery_outcomes: DeliveryOutcome, **changes: Any) -> EventHistory:
    return EventHistory(event=event(**changes), routed_at=NOW, route=routed(1), delivery_outcomes=delivery_outcomes)


def queue(receiver: str, state: State, count: int, age: timedelta = timedelta()) -> QueueState:
    return QueueState(receiver=receiver, state=state, count=count, oldest=NOW - age)
