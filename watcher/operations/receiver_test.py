"""Send a test to a receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

import structlog

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.model import Degrade, Delivered, Outcome, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import NO_REASON, WITH_CONNECTION, Reason
from watcher.operations.author import author_in
from watcher.operations.ports import ActionStore
from watcher.operations.recording import problem_of_recording

log = structlog.get_logger()

Refusal = TryLater | Uncertain | Degrade | Refused
SEND_TEST: Final = "test"
"""The command on the control socket."""


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


async def record_test(actions: ActionStore, request: ReceiverTest, outcome: Outcome, now: datetime) -> bool:
    """Record a test with its author and outcome; return whether the store could be written."""
    log.info("receiver.tested", receiver=request.receiver, by=request.by, outcome=type(outcome).__name__)
    problem = await problem_of_recording(actions, _action(request, outcome, now))
    if problem is not None:
        remedy = "run aitems-watcher doctor"
        log.warning("receiver.test_not_recorded", receiver=request.receiver, problem=problem, remedy=remedy)
    return problem is None


def _action(request: ReceiverTest, outcome: Outcome, now: datetime) -> Action:
    return Action(
        kind=ActionKind.TEST,
        target=request.receiver,
        author=request.by,
        at=now,
        outcome=type(outcome).__name__,
        reason=NO_REASON if isinstance(outcome, Delivered) else _reason(outcome),
    )


def _reason(outcome: Refusal) -> Reason:
    """Return the reason of a test; that of a failed connection alone would not say what has failed there."""
    if outcome.reason.code in WITH_CONNECTION and not outcome.reason.detail:
        return replace(outcome.reason, detail=outcome.answer)
    return outcome.reason
