"""Tests of receivers: each is in the history with its author."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.model import Delivered, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import NO_REASON, Reason, ReasonCode, http_reason
from watcher.core.messages.reasons import reason_text
from watcher.operations.receiver_test import ReceiverTest, record_test
from watcher.wiring.control_handlers import record_reload

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


async def test_a_failed_connection_says_what_has_failed() -> None:
    recorded = Recorded()
    not_sent = Reason(code=ReasonCode.NOT_SENT, cause="connect")
    refused = "127.0.0.1:9: no connection: Connection refused"
    assert await record_test(recorded, HOOK, TryLater(reason=not_sent, answer=refused), NOW)
    assert await record_test(recorded, HOOK, Uncertain(reason=replace(not_sent, code=ReasonCode.NO_ANSWER)), NOW)
    texts = [reason_text(item.reason) for item in recorded.actions]
    assert texts == [f"not sent: connect ({refused})", "no answer: connect"]


async def test_a_reload_is_logged_as_recorded_only_once_it_is(tmp_path: Path) -> None:
    for fails, event in ((False, "reload.recorded"), (True, "reload.not_recorded")):
        with capture_logs() as logs:
            await record_reload(Recorded(fails=fails), {"by": "mina"}, tmp_path / "config.toml", NOW)
        assert [(line["event"], line["author"]) for line in logs] == [(event, "mina")]


async def test_a_test_has_its_outcome_even_when_the_store_cannot_be_written() -> None:
    assert not await record_test(Recorded(fails=True), HOOK, Delivered(), NOW)
