"""Whether a 404 means that a service or a training does not exist.

A gateway, a proxy or a broken release may answer 404 to everything, or to one service. So a 404 counts only if AiTEMS
has answered another call of the account since. For a service, that call is the list of services, and the list must not
contain it. Any other call counts where the key may not list the services, and for a training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollFailure
from watcher.core.training.model import ServiceRef
from watcher.pipeline.ports import Api, Clock, ServicesResult

log = structlog.get_logger()

SERVICES: Final = "services"
"""The name of the call for the list of services."""
ALONE: Final = "no other call of the account is answered"
LISTED: Final = "the list of services contains it"
MAX_DETAIL_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class _Answer:
    call: str
    at: float
    """In monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """The outcome of a call for the list of services."""

    services: frozenset[str] | None
    """The ids of the services; ``None`` where the call failed."""
    at: float
    """In monotonic seconds."""


class Corroborator:
    """Remembers the answered calls of each account, and checks each 404 against them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, tuple[_Answer, ...]] = {}
        """By account: the latest answer, and the latest one of another call."""
        self._listed: dict[str, _Listed] = {}
        """By account: the latest list of services."""
        self._missing_since: dict[str, float] = {}
        """By call: the start of its latest 404 in a row, in monotonic seconds."""

    def note_answer(self, account: str, call: str) -> None:
        """Note that AiTEMS has answered a call."""
        self._missing_since.pop(call, None)
        others = (answer for answer in self._answers.get(account, ()) if answer.call != call)
        latest_other = max(others, key=lambda answer: answer.at, default=None)
        latest = _Answer(call, self._clock.monotonic())
        self._answers[account] = (latest,) if latest_other is None else (latest, latest_other)

    def note_services(self, account: str, outcome: ServicesResult | PollFailure) -> None:
        """Note the outcome of a call for the list of services."""
        services = None if isinstance(outcome, PollFailure) else ids_in(outcome)
        self._listed[account] = _Listed(services, self._clock.monotonic())
        if services is not None:
            self.note_answer(account, f"{SERVICES} {account}")

    async def checked(
        self, failure: PollFailure, service: ServiceRef, call: str, started: float, api: Api
    ) -> PollFailure:
        """Return the failure of a call; a 404 that nothing corroborates becomes a refusal.

        Args:
            failure: the failure.
            service: the service that the call is about.
            call: the name of the call.
            started: its start, in monotonic seconds.
            api: the account's.
        """
        if failure.cause is not Cause.NOT_FOUND:
            return failure
        since = self._missing_since.get(call, started)
        self._missing_since[call] = started
        doubt = await self._doubt(service, call, since, api)
        if doubt is None:
            return failure
        log.debug("poll.absence_doubted", call=call, detail=failure.detail, reason=doubt)
        return doubted(failure, doubt)

    async def _doubt(self, service: ServiceRef, call: str, since: float, api: Api) -> str | None:
        """Return the reason for which a 404 says nothing; ``None`` where another answer corroborates it."""
        if call == service.subject:
            listed = await self._services(service.account, since, api)
            if listed is not None:
                return LISTED if service.service in listed else None
        if self._another_was_answered(service.account, call, since):
            return None
        return ALONE if await self._services(service.account, since, api) is None else None

    def _another_was_answered(self, account: str, call: str, since: float) -> bool:
        return any(answer.call != call and answer.at > since for answer in self._answers.get(account, ()))

    async def _services(self, account: str, since: float, api: Api) -> frozenset[str] | None:
        """Return the ids in a list of services that was called for after ``since``; ``None`` where that failed."""
        known = self._listed.get(account)
        if known is None or known.at <= since:
            self.note_services(account, await api.services(first=True))
        return self._listed[account].services


def ids_in(services: ServicesResult) -> frozenset[str]:
    """Return the ids of the services in a list, also of those whose record has no more than an id."""
    unreadable = (record.identity for record in services.unreadable)
    return frozenset(service.ref.service for service in services.services) | {
        identity[0] for identity in unreadable if identity and identity[0] is not None
    }


def doubted(failure: PollFailure, reason: str) -> PollFailure:
    """Return a 404 as a refusal: it does not say that anything is missing."""
    return replace(failure, cause=Cause.REFUSED, detail=f"{failure.detail}; {reason}"[:MAX_DETAIL_LENGTH])
