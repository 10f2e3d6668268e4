"""Tests of receivers: each is in the history with its author."""

from __future__ import annotations

from datetime import UTC, datetime

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.model import Delivered, Refused
from watcher.core.delivery.reason import NO_REASON, http_reason
from watcher.operations.receiver_test import ReceiverTest, record_test

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOOK, CHAT = (ReceiverTest(receiver=name, by="mina") for name in ("hook", "chat"))


class Recorded:
    """The recorded actions; ``fails`` stands for a store that cannot be written."""

    def __init__(self, *, fails: bool = False) -> None:
        self.actions: list[Action] = []
        self.fails = fails

    async def record(self, action: Action) -> None:
        if self.fails:
            raise OSError("disk full")
        self.actions.append(action)


async def test_a_test_is_recorded_with_its_author_and_outcome() -> None:
    recorded = Recorded()
    assert await record_test(recorded, HOOK, Delivered(), NOW)
    assert await record_test(recorded, CHAT, Refused(reason=http_reason(410)), NOW)
    found = [(item.target, item.author, item.outcome, item.reason) for item in recorded.actions]
    assert found == [("hook", "mina", "Delivered", NO_REASON), ("chat", "mina", "Refused", http_reason(410))]
    assert {item.kind for item in recorded.actions} == {ActionKind.TEST}


async def test_a_test_has_its_outcome_even_when_the_store_cannot_be_written() -> None:
    assert not await record_test(Recorded(fails=True), HOOK, Delivered(), NOW)
