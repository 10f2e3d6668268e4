"""Whether a 404 means that a service or a training does not exist.

A gateway, a proxy or a broken release may answer 404 to everything, or to one service. So a 404 counts only if AiTEMS
has answered another call of the account since. For a service, that call is the list of services, and the list must not
contain it. For a training, it is the list of its service, which shares the path with its view. A list that shows the
training answers in place of its view. Any other call counts where the key may not call that list, or where the list
cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.pipeline.ports import Api, Clock, ServicesResult

log = structlog.get_logger()

SERVICES: Final = "services"
"""The name of the call for the list of services."""
ALONE: Final = "no other call of the account is answered"
LISTED: Final = "the list of services contains it"
MAX_DETAIL_LENGTH: Final = 300

MISSING: Final = frozenset({404, 410})
REDIRECTS: Final = range(300, 400)
ANSWERED_BY_AITEMS: Final = frozenset({Cause.PERMISSION, Cause.REFUSED, Cause.BAD_ANSWER})
"""Causes for which the path of a list leads to AiTEMS, unless the answer is a 404 or a redirect."""


class ListSays(Enum):
    """The evidence of a service's list about a training whose view is a 404."""

    ABSENT = auto()
    SHOWN = auto()
    NOT_FOUND = auto()
    """The list is a 404, too."""
    UNANSWERED = auto()
    NOTHING = auto()


DOUBTS: Final = {
    ListSays.SHOWN: "the list of the service contains it",
    ListSays.UNANSWERED: "the list of the service is not answered",
}
"""The reasons for which a view's 404 says nothing."""


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
        """By account and by service: the latest answer, and the latest one of another call."""
        self._listed: dict[str, _Listed] = {}
        """By account: the latest list of services."""
        self._missing_since: dict[str, float] = {}
        """By call: the start of its latest 404 in a row, in monotonic seconds."""
        self._absent: set[str] = set()
        """The calls whose latest 404s in a row are corroborated by the list of the service."""

    def note_answer(self, subject: ServiceRef | TrainingRef) -> None:
        """Note that AiTEMS has answered the list of a service, or the view of a training."""
        self._absent.discard(subject.subject)
        self._note_answer(subject.account, subject.subject)
        if isinstance(subject, TrainingRef):
            self._note_answer(subject.service_ref.subject, subject.subject)

    def _note_answer(self, scope: str, call: str) -> None:
        self._missing_since.pop(call, None)
        others = (answer for answer in self._answers.get(scope, ()) if answer.call != call)
        latest_other = max(others, key=lambda answer: answer.at, default=None)
        latest = _Answer(call, self._clock.monotonic())
        self._answers[scope] = (latest,) if latest_other is None else (latest, latest_other)

    def note_services(self, account: str, outcome: ServicesResult | PollFailure) -> None:
        """Note the outcome of a call for the list of services."""
        services = None if isinstance(outcome, PollFailure) else ids_in(outcome)
        self._listed[account] = _Listed(services, self._clock.monotonic())
        if services is not None:
            self._note_answer(account, f"{SERVICES} {account}")

    async def checked(
        self,
        failure: PollFailure,
        subject: ServiceRef | TrainingRef,
        started: float,
        api: Api,
        listed: ListSays | None = None,
    ) -> PollOutcome:
        """Return the failure of a call; a 404 that nothing corroborates becomes a refusal, or the list's answer.

        Args:
            failure: the failure.
            subject: the service whose list was called for, or the training that was viewed.
            started: the start of the call, in monotonic seconds.
            api: the account's.
            listed: the evidence of the service's list about the training; ``None`` to call for the list.
        """
        if failure.cause is not Cause.NOT_FOUND:
            return failure
        call = subject.subject
        is_first, since = call not in self._missing_since, self._missing_since.get(call, started)
        self._missing_since[call] = started
        doubt = (
            await self._doubt_service(subject, since, api)
            if isinstance(subject, ServiceRef)
            else await self._doubt_training(subject, since, api, listed)
        )
        if doubt is None:
            return failure
        if isinstance(doubt, PollResult):
            write = log.warning if is_first else log.debug
            write("poll.view_refused", poll=call, cause=failure.cause, detail=failure.detail, instead="list")
            return doubt
        log.debug("poll.absence_doubted", call=call, detail=failure.detail, reason=doubt)
        return doubted(failure, doubt)

    async def _doubt_service(self, service: ServiceRef, since: float, api: Api) -> str | None:
        """Return the reason for which a 404 says nothing; ``None`` where another answer corroborates it."""
        listed = await self._services(service.account, since, api)
        if listed is not None:
            return LISTED if service.service in listed else None
        return None if self._another_was_answered(service.account, service.subject, since) else ALONE

    async def _doubt_training(
        self, ref: TrainingRef, since: float, api: Api, listed: ListSays | None
    ) -> str | PollResult | None:
        """Return the reason for which a 404 says nothing, or the answer of the list in its place."""
        if ref.subject in self._absent:
            return None
        outcome = None
        if listed is None:
            outcome = await self._ask_list(ref, api)
            listed = list_says(ref, outcome)
        if listed is ListSays.ABSENT:
            self._absent.add(ref.subject)
            return None
        if listed is ListSays.SHOWN:
            return _only(ref, outcome) if isinstance(outcome, PollResult) else DOUBTS[listed]
        another_view = self._another_was_answered(ref.service_ref.subject, ref.subject, since)
        if listed is not ListSays.NOTHING and not another_view:
            # Neither the list nor another view is answered: the service is gone, or its path leads elsewhere.
            return DOUBTS.get(listed) or await self._doubt_service(ref.service_ref, since, api)
        if self._another_was_answered(ref.account, ref.subject, since):
            return None
        return ALONE if await self._services(ref.account, since, api) is None else None

    async def _ask_list(self, ref: TrainingRef, api: Api) -> PollOutcome:
        outcome = await api.list(ref.service_ref)
        if isinstance(outcome, PollResult):
            self.note_answer(ref.service_ref)
        return outcome

    def _another_was_answered(self, scope: str, call: str, since: float) -> bool:
        return any(answer.call != call and answer.at > since for answer in self._answers.get(scope, ()))

    async def _services(self, account: str, since: float, api: Api) -> frozenset[str] | None:
        """Return the ids in a list of services that was called for after ``since``; ``None`` where that failed."""
        known = self._listed.get(account)
        if known is None or known.at <= since:
            self.note_services(account, await api.services(first=True))
        return self._listed[account].services


def _only(ref: TrainingRef, listed: PollResult) -> PollResult:
    """Return a list as the answer about one training."""
    return replace(listed, shown=tuple(item for item in listed.shown if item.ref == ref), unreadable=(), deviations=())


def list_says(ref: TrainingRef, outcome: PollOutcome) -> ListSays:
    """Return the evidence of the list of a training's service."""
    if isinstance(outcome, PollFailure):
        return failed_list_says(outcome)
    if outcome.absent([ref]):
        return ListSays.ABSENT
    return ListSays.NOTHING if outcome.hidden([ref]) else ListSays.SHOWN


def failed_list_says(outcome: PollFailure) -> ListSays:
    """Return the evidence of a list that failed, which is the same for each training of the service."""
    if outcome.cause is Cause.NOT_FOUND:
        return ListSays.NOT_FOUND
    leads_elsewhere = outcome.http_status in MISSING or outcome.http_status in REDIRECTS
    return ListSays.NOTHING if outcome.cause in ANSWERED_BY_AITEMS and not leads_elsewhere else ListSays.UNANSWERED


def ids_in(services: ServicesResult) -> frozenset[str]:
    """Return the ids of the services in a list, also of those whose record has no more than an id."""
    unreadable = (record.identity for record in services.unreadable)
    return frozenset(service.ref.service for service in services.services) | {
        identity[0] for identity in unreadable if identity and identity[0] is not None
    }


def doubted(failure: PollFailure, reason: str) -> PollFailure:
    """Return a 404 as a refusal: it does not say that anything is missing."""
    return replace(failure, cause=Cause.REFUSED, detail=f"{failure.detail}; {reason}"[:MAX_DETAIL_LENGTH])
