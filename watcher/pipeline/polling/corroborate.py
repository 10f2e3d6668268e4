"""Whether a 404 means that a service or a training does not exist.

A gateway, a proxy or a broken release may answer 404 to everything. So a 404 counts only if AiTEMS has answered another
call of the account since. The list of services is asked where there was no other call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollFailure
from watcher.pipeline.ports import Api, Clock

log = structlog.get_logger()

SERVICES: Final = "services"
"""The name of the call for the list of services."""
ALONE: Final = "no other call of the account is answered"
MAX_DETAIL_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class _Answer:
    call: str
    at: float
    """In monotonic seconds."""


class Corroborator:
    """Remembers the answered calls of each account, and checks each 404 against them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, tuple[_Answer, ...]] = {}
        """By account: the latest answer, and the latest one of another call."""
        self._missing_since: dict[str, float] = {}
        """By call: the start of its latest 404 in a row, in monotonic seconds."""

    def note_answer(self, account: str, call: str) -> None:
        """Note that AiTEMS has answered a call."""
        self._missing_since.pop(call, None)
        others = (answer for answer in self._answers.get(account, ()) if answer.call != call)
        latest_other = max(others, key=lambda answer: answer.at, default=None)
        latest = _Answer(call, self._clock.monotonic())
        self._answers[account] = (latest,) if latest_other is None else (latest, latest_other)

    async def checked(self, failure: PollFailure, account: str, call: str, started: float, api: Api) -> PollFailure:
        """Return the failure of a call; a 404 that nothing corroborates becomes a refusal.

        Args:
            failure: the failure.
            account: the account of the call.
            call: the name of the call.
            started: its start, in monotonic seconds.
            api: the account's.
        """
        if failure.cause is not Cause.NOT_FOUND:
            return failure
        since = self._missing_since.get(call, started)
        self._missing_since[call] = started
        if self._another_was_answered(account, call, since) or await self._services_are_listed(account, api):
            return failure
        log.debug("poll.absence_doubted", call=call, detail=failure.detail)
        return doubted(failure)

    def _another_was_answered(self, account: str, call: str, since: float) -> bool:
        return any(answer.call != call and answer.at > since for answer in self._answers.get(account, ()))

    async def _services_are_listed(self, account: str, api: Api) -> bool:
        if isinstance(await api.services(first=True), PollFailure):
            return False
        self.note_answer(account, f"{SERVICES} {account}")
        return True


def doubted(failure: PollFailure) -> PollFailure:
    """Return a 404 as a refusal: it does not say that anything is missing."""
    return replace(failure, cause=Cause.REFUSED, detail=f"{failure.detail}; {ALONE}"[:MAX_DETAIL_LENGTH])
