"""Tests of receivers: one in ten seconds, and each in the history with its author."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.model import Delivered, Refused
from watcher.core.delivery.reason import NO_REASON, http_reason
from watcher.operations.errors import OperationRefusedError
from watcher.operations.receiver_test import EVERY_SECONDS, ReceiverTest, ReceiverTests

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


def test_a_receiver_gets_one_test_in_ten_seconds() -> None:
    seconds = 0.0
    tests = ReceiverTests(Recorded(), lambda: seconds)
    tests.begin(HOOK)
    tests.begin(CHAT)
    seconds = 3.0
    with pytest.raises(OperationRefusedError, match=r"was sent to hook 3 s ago; .* try again in 7 s"):
        tests.begin(HOOK)
    seconds = EVERY_SECONDS
    tests.begin(HOOK)


async def test_a_test_is_recorded_with_its_author_and_outcome() -> None:
    recorded = Recorded()
    tests = ReceiverTests(recorded, lambda: 0.0)
    assert await tests.end(HOOK, Delivered(), NOW)
    assert await tests.end(CHAT, Refused(reason=http_reason(410)), NOW)
    found = [(item.target, item.author, item.outcome, item.reason) for item in recorded.actions]
    assert found == [("hook", "mina", "Delivered", NO_REASON), ("chat", "mina", "Refused", http_reason(410))]
    assert {item.kind for item in recorded.actions} == {ActionKind.TEST}


async def test_a_test_has_its_outcome_even_when_the_store_cannot_be_written() -> None:
    assert not await ReceiverTests(Recorded(fails=True), lambda: 0.0).end(HOOK, Delivered(), NOW)
