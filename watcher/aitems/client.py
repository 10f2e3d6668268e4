"""The client of AiTEMS: signed calls, the pages of a list, and their results or failures."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from watcher.aitems import wire
from watcher.aitems.budget import Budget, Need, NoRoomError
from watcher.aitems.errors import cause_of, read_error, retry_after_seconds
from watcher.aitems.list_page import MAX_LIST_BYTES, KnownList, ListPage, consists_of_records
from watcher.aitems.list_reader import ListReader
from watcher.aitems.paths import path_of
from watcher.aitems.signing import Keys, SignatureV2
from watcher.aitems.updates import read_updates, schedule_in, updates_path
from watcher.aitems.wire import AnswerTimes, BadAnswer, ServiceInfo
from watcher.clock import Clock
from watcher.core.messages.text import one_line
from watcher.core.polling.result import AnsweredPage, Cause, PollFailure, PollResult, UnreadableRecord
from watcher.core.secret import STARS
from watcher.core.training.model import ListedTraining, ServiceRef, TrainingRef
from watcher.core.updates.result import ScheduleResult, UpdateList
from watcher.http import (
    KEPT_TRIES,
    Answered,
    FailureReason,
    HttpClient,
    HttpRequest,
    HttpResult,
    LargeBody,
    MaybeSent,
    NotSent,
    content_encoding,
    is_idle_closed,
    is_loopback,
    server_date,
)

HEADERS: Final = {
    "Accept": "application/json",
    # The page "View training" requires it on GET too.
    "Content-Type": "application/json",
}

MAX_DETAIL_LENGTH: Final = 300

CAUSES: Final = {
    FailureReason.DNS: Cause.DNS,
    FailureReason.CONNECT: Cause.CONNECT,
    FailureReason.PROXY: Cause.CONNECT,
    FailureReason.PROXY_KIND: Cause.CONNECT,
    FailureReason.TLS: Cause.TLS,
    FailureReason.DEADLINE: Cause.DEADLINE,
    FailureReason.RESET: Cause.RESET,
    FailureReason.IDLE_CLOSED: Cause.RESET,
    FailureReason.TRUNCATED: Cause.RESET,
    FailureReason.PROTOCOL: Cause.RESET,
    FailureReason.TOO_LARGE: Cause.BAD_ANSWER,
    FailureReason.INVALID: Cause.REFUSED,
}

PAUSES: Final = {Cause.QUOTA: 300.0, Cause.THROTTLE: 5.0, Cause.RATE: 5.0}
"""Seconds that the account pauses after a 429 without ``Retry-After``; our choice, as AiTEMS publishes no limits."""

LARGE_LIST: Final = LargeBody(max_bytes=MAX_LIST_BYTES, is_plausible=consists_of_records)

MakeRequest = Callable[..., HttpRequest]
"""Makes a request of a path; takes what differs from one try to the next."""

SUCCESSES: Final = range(200, 300)
REDIRECTS: Final = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpec:
    """An account of the configuration; ``base_url`` includes ``/api/v1``, which is signed too."""

    name: str
    base_url: str
    keys: Keys = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return
        raise ValueError(f"account {self.name}: base_url must begin with https://, or http:// on loopback")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesResult:
    """All services of an account."""

    services: tuple[ServiceInfo, ...]
    asked_at: datetime
    answered_at: datetime
    digest: bytes
    """SHA-256 of the body, or of the digests of several pages."""
    deviations: tuple[str, ...] = ()
    unreadable: tuple[UnreadableRecord, ...] = ()
    """Records of the list that are left out."""
    server_date: datetime | None = None


class AitemsClient:
    """Makes the calls of one account within its budget.

    A call is repeated only after the close of a kept connection. ``first`` puts a call before waiting routine calls.
    A 429, or any refusal with ``Retry-After``, pauses all calls of the account. ``patient`` is as for ``ListReader``.
    """

    def __init__(
        self, http: HttpClient, account: AccountSpec, clock: Clock, budget: Budget, *, patient: bool = False
    ) -> None:
        self._http = http
        self._account = account
        self._base = account.base_url.rstrip("/")
        self._sign = SignatureV2(account.keys, clock)
        self._budget = budget
        self._slow_calls = asyncio.Semaphore(max(1, budget.max_concurrency // 2))
        self._known: dict[ServiceRef, KnownList[ListedTraining]] = {}
        """The latest list of each service."""
        self._slow_paths: set[str] = set()
        """Paths whose last call met its deadline."""
        self._lists = ListReader(partial(self._get, large_body=LARGE_LIST), self._bad, patient=patient)

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollResult | PollFailure:
        """View one training (``GET /services/{serviceId}/trains/{trainType}/versions/{version}``)."""
        answer = await self._get(
            path_of("services", ref.service, "trains", ref.type, "versions", ref.version), first=first
        )
        if isinstance(answer, PollFailure):
            return answer
        viewed = wire.read_training(answer.body, ref, _times(answer))
        if isinstance(viewed, BadAnswer):
            return self._bad(answer, viewed.reason)
        return PollResult(
            shown=(viewed.observation,),
            asked_at=answer.asked_at,
            answered_at=answer.answered_at,
            digest=hashlib.sha256(answer.body).digest(),
            deviations=viewed.deviations,
            server_date=server_date(answer.headers, answer.answered_at),
        )

    async def list(self, service: ServiceRef, *, first: bool = False) -> PollResult | PollFailure:
        """List all trainings of a service (``GET /services/{serviceId}/trains``): every page, or a failure.

        Records that cannot be read are left out.
        """
        known = self._known.setdefault(service, KnownList())

        def read(answer: Answered) -> ListPage[ListedTraining] | BadAnswer:
            return wire.read_trainings(answer.body, service, known)

        complete = await self._lists.read(path_of("services", service.service, "trains"), read, first=first)
        if isinstance(complete, PollFailure):
            if complete.cause is Cause.NOT_FOUND:
                self._known.pop(service, None)
            return complete
        known.keep(complete.items)
        return PollResult(
            shown=complete.items,
            pages=tuple(
                AnsweredPage(shown=items, asked_at=times.asked_at, answered_at=times.answered_at)
                for times, items in complete.pages
            ),
            asked_at=complete.times.asked_at,
            answered_at=complete.times.answered_at,
            digest=complete.digest,
            deviations=complete.deviations,
            unreadable=complete.unreadable,
            server_date=complete.server_date,
        )

    async def services(self, *, first: bool = False) -> ServicesResult | PollFailure:
        """List the account's services (``GET /services``): every page, or a failure."""

        def read(answer: Answered) -> ListPage[ServiceInfo] | BadAnswer:
            return wire.read_services(answer.body, self._account.name)

        complete = await self._lists.read(path_of("services"), read, first=first)
        if isinstance(complete, PollFailure):
            # An account has a list of services, be it empty: its 404 is the gateway's.
            return replace(complete, cause=Cause.REFUSED) if complete.cause is Cause.NOT_FOUND else complete
        if not complete.unreadable:
            self._forget_others({service.ref for service in complete.items})
        return ServicesResult(
            services=complete.items,
            asked_at=complete.times.asked_at,
            answered_at=complete.times.answered_at,
            digest=complete.digest,
            deviations=complete.deviations,
            unreadable=complete.unreadable,
            server_date=complete.server_date,
        )

    def _forget_others(self, listed: AbstractSet[ServiceRef]) -> None:
        """Forget the lists of services that the account does not list; where one is still called, it is read anew."""
        for service in self._known.keys() - listed:
            del self._known[service]
            path = path_of("services", service.service, "trains")
            self._lists.ends.pop(path, None)
            self._slow_paths.discard(path)

    async def service(self, ref: ServiceRef, *, first: bool = False) -> ServiceInfo | PollFailure:
        """View one service (``GET /services/{serviceId}``)."""
        answer = await self._get(path_of("services", ref.service), first=first)
        if isinstance(answer, PollFailure):
            return answer
        service = wire.read_service(answer.body, ref)
        return self._bad(answer, service.reason) if isinstance(service, BadAnswer) else service

    async def schedule(self, ref: ServiceRef) -> ScheduleResult | PollFailure:
        """View the schedule of a service (``GET /services/{serviceId}``)."""
        service = await self.service(ref)
        return service if isinstance(service, PollFailure) else schedule_in(service)

    async def updates(self, ref: TrainingRef) -> UpdateList | PollFailure:
        """List the updates of a version (``GET /services/{serviceId}/updates``)."""
        answer = await self._get(updates_path(ref), first=False)
        if isinstance(answer, PollFailure):
            return answer
        updates = read_updates(answer, ref)
        return self._bad(answer, updates.reason) if isinstance(updates, BadAnswer) else updates

    async def _get(
        self,
        path: str,
        *,
        first: bool,
        need: Need = Need.REQUIRED,
        large_body: LargeBody | None = None,
        within: timedelta | None = None,
    ) -> Answered | PollFailure:
        if need is not Need.REQUIRED and path in self._slow_paths and self._slow_calls.locked():
            raise NoRoomError
        # Slow paths may hold at most half of the slots, to leave the others for paths that answer.
        async with self._slow_calls if path in self._slow_paths else nullcontext():
            request = partial(
                HttpRequest,
                url=self._base + path,
                headers=HEADERS,
                signer=self._sign,
                large_body=large_body,
                timeout_seconds=None if within is None else within.total_seconds(),
            )
            result = await self._repeated(request, first=first, need=need)
        self._note_slowness(path, result)
        if isinstance(result, NotSent | MaybeSent):
            return PollFailure(
                cause=CAUSES[result.reason],
                detail=self._line(result.detail),
                asked_at=result.asked_at,
                ended_at=result.ended_at,
            )
        return self._accept(result)

    async def _repeated(self, request: MakeRequest, *, first: bool, need: Need) -> HttpResult:
        """Call, and repeat the call after the close of a kept connection; every repeat takes a slot of the budget."""
        result = await self._call(request, first=first, need=need)
        for tried in range(1, KEPT_TRIES + 1):
            if not is_idle_closed(result):
                break
            result = await self._call(request, first=True, need=need, own_connection=tried == KEPT_TRIES)
        return result

    async def _call(self, request: MakeRequest, *, first: bool, need: Need, own_connection: bool = False) -> HttpResult:
        async with self._budget.slot(first=first, need=need) as slot:
            return await self._http.call(request(on_write=slot.on_write, own_connection=own_connection))

    def _note_slowness(self, path: str, result: HttpResult) -> None:
        if isinstance(result, NotSent | MaybeSent) and result.reason is FailureReason.DEADLINE:
            self._slow_paths.add(path)
        else:
            self._slow_paths.discard(path)

    def _accept(self, answer: Answered) -> Answered | PollFailure:
        if answer.status not in SUCCESSES:
            return self._refused(answer)
        if encoding := content_encoding(answer.headers):
            return self._bad(answer, f"the body is encoded as {encoding}, which was not requested")
        return answer

    def _refused(self, answer: Answered) -> PollFailure:
        error = read_error(answer.headers, answer.body)
        date = server_date(answer.headers, answer.answered_at)
        cause = cause_of(answer.status, error, date, answer.answered_at)
        retry_after = retry_after_seconds(answer.headers, answer.answered_at)
        paused_seconds = self._pause(cause, retry_after)
        parts = [f"HTTP {answer.status}", f"code {error.code}" if error.code else "", error.message or ""]
        if answer.status in REDIRECTS:
            parts.append("a redirect, which is not followed")
        if cause is Cause.CLOCK and date is not None:
            parts.append(f"the server's clock is {(date - answer.answered_at).total_seconds():+.0f} s from ours")
        if cause is Cause.KEY:
            parts += self._account.keys.current().hints
        return PollFailure(
            cause=cause,
            detail=self._line(", ".join(part for part in parts if part)),
            asked_at=answer.asked_at,
            ended_at=answer.answered_at,
            http_status=answer.status,
            code=error.code,
            retry_after_seconds=retry_after,
            paused_until=answer.answered_at + timedelta(seconds=paused_seconds) if paused_seconds else None,
            server_date=date,
        )

    def _pause(self, cause: Cause, retry_after: float | None) -> float:
        """Pause the account's requests where AiTEMS asks for it; return the seconds until the end of the pause."""
        seconds = retry_after if retry_after is not None else PAUSES.get(cause)
        return self._budget.pause_for(seconds, cause.value) if seconds else 0.0

    def _bad(self, answer: Answered, reason: str) -> PollFailure:
        return PollFailure(
            cause=Cause.BAD_ANSWER,
            detail=self._line(f"HTTP {answer.status}, {reason}"),
            asked_at=answer.asked_at,
            ended_at=answer.answered_at,
            http_status=answer.status,
            server_date=server_date(answer.headers, answer.answered_at),
        )

    def _line(self, text: str) -> str:
        """Return one short line without the access key, which a gateway may quote in its answer."""
        access_key = self._account.keys.current().access_key.reveal()
        if access_key:
            text = text.replace(access_key, STARS)
        return one_line(text, MAX_DETAIL_LENGTH)


def _times(answer: Answered) -> AnswerTimes:
    return AnswerTimes(asked_at=answer.asked_at, answered_at=answer.answered_at)
