"""The record of an action that has had its effect: a store that cannot be written does not make the action fail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from watcher.core.action import Action, ActionKind
from watcher.operations.recording import problem_of_recording

ACTION = Action(kind=ActionKind.RELOAD, target="config.toml", author="mina", at=datetime(2026, 11, 29, 12, tzinfo=UTC))


class Locked:
    """A store that another process holds."""

    async def record(self, _action: Action) -> None:
        await asyncio.Event().wait()


class Failing:
    """A store that cannot be written."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def record(self, _action: Action) -> None:
        raise self.error


async def test_a_locked_store_is_waited_for_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.operations.recording.RECORD_SECONDS", 0.01)
    assert await problem_of_recording(Locked(), ACTION) == "the store was locked for 0.01 s"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OperationalError("INSERT", {"author": "mina"}, ValueError("disk full")), "disk full"),
        (OSError("no space"), "no space"),
        (RuntimeError(), "RuntimeError"),
    ],
)
async def test_a_store_that_cannot_be_written_is_named_without_the_statement(error: Exception, problem: str) -> None:
    assert await problem_of_recording(Failing(error), ACTION) == problem
