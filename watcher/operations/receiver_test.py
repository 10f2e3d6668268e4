"""Send a test to a receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import structlog

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.model import Delivered, Outcome
from watcher.core.delivery.reason import NO_REASON
from watcher.operations.author import author_in
from watcher.operations.errors import OperationRefusedError
from watcher.operations.ports import ActionStore

log = structlog.get_logger()

SEND_TEST: Final = "test"
"""The command on the control socket."""
EVERY_SECONDS: Final = 10.0
"""The time between two tests of one receiver: each is a message that people read."""
RECORD_SECONDS: Final = 5.0
"""The longest wait for the store: a test must also say something while that cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverTest:
    """A request to send a test to a receiver."""

    receiver: str
    by: str

    @classmethod
    def from_json(cls, arguments: Mapping[str, object]) -> Self:
        """Read the request from ``receiver`` and ``by``.

        Raises:
            OperationRefusedError: the name in ``by`` is too long.
        """
        return cls(receiver=str(arguments.get("receiver")), by=author_in(arguments))


class ReceiverTests:
    """Permits one test of a receiver in ten seconds, and records each with its author.

    Args:
        actions: the stored actions.
        monotonic: returns the time in monotonic seconds.
    """

    def __init__(self, actions: ActionStore, monotonic: Callable[[], float]) -> None:
        self._actions = actions
        self._monotonic = monotonic
        self._began: dict[str, float] = {}
        """The start of the latest test of each receiver."""

    def begin(self, request: ReceiverTest) -> None:
        """Note that a test begins.

        Raises:
            OperationRefusedError: the latest one began a moment ago.
        """
        now = self._monotonic()
        self._began = {name: at for name, at in self._began.items() if now - at < EVERY_SECONDS}
        if (began := self._began.get(request.receiver)) is not None:
            wait = EVERY_SECONDS - (now - began)
            raise OperationRefusedError(
                f"a test was sent to {request.receiver} {now - began:.0f} s ago; "
                f"one is sent every {EVERY_SECONDS:.0f} s, so try again in {wait:.0f} s"
            )
        self._began[request.receiver] = now

    async def end(self, request: ReceiverTest, outcome: Outcome, now: datetime) -> bool:
        """Record a test with its outcome; return whether the store could be written."""
        log.info("receiver.tested", receiver=request.receiver, by=request.by, outcome=type(outcome).__name__)
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._actions.record(_action(request, outcome, now))
        except Exception as error:  # noqa: BLE001 - the message is sent, and its outcome counts more than the record
            problem, remedy = str(error) or type(error).__name__, "run aitems-watcher doctor"
            log.warning("receiver.test_not_recorded", receiver=request.receiver, problem=problem, remedy=remedy)
            return False
        return True


def _action(request: ReceiverTest, outcome: Outcome, now: datetime) -> Action:
    return Action(
        kind=ActionKind.TEST,
        target=request.receiver,
        author=request.by,
        at=now,
        outcome=type(outcome).__name__,
        reason=NO_REASON if isinstance(outcome, Delivered) else outcome.reason,
    )
