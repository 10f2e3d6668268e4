"""The result or failure of one poll, and the stored state of a poll.

A poll fails, not a training: "cannot be polled" is never a status of a training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.incidents.evidence import Evidence, plain_code
from watcher.core.training.model import Observation, Shown, Source, TrainingRef


class Cause(StrEnum):
    """The cause of a failed poll; the store, the log, the metric and the messages use its value."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    DEADLINE = "deadline"
    RESET = "reset"
    """The connection broke after the request was written, or the answer was not HTTP."""
    KEY = "key"
    """401 with gateway code 200: the key, the signature or the clock is wrong."""
    PERMISSION = "permission"
    """401 with gateway code 210, or 403: the key may not read this."""
    QUOTA = "quota"
    """429 with gateway code 400: the quota is exhausted."""
    THROTTLE = "throttle"
    """429 with gateway code 410."""
    RATE = "rate"
    """429 with gateway code 420, or without a code."""
    SERVER = "server-error"
    """Any 5xx."""
    BAD_ANSWER = "bad-answer"
    """An answer unlike the documents: a redirect, HTML (also as a 404), missing fields, or another training."""
    REFUSED = "refused"
    """Any other 4xx: the gateway rejects the request, also by a 404 that nothing corroborates."""
    CLOCK = "clock"
    """A rejected request while the server's ``Date`` is more than five minutes from our clock."""
    NOT_FOUND = "not-found"
    """404 or 410 of AiTEMS itself: no such service or training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRecord:
    """A record or another part of a list that cannot be read; what it stands for is neither seen nor absent."""

    reason: str
    """One line without values, e.g. ``unreadable record in trains: status is null, not a text``."""
    identity: tuple[str | None, ...]
    """Type and version of a training, or the id of a service; ``None`` for a part that cannot be read.

    Empty for a part of a list that may hold any number of records.
    """
    sample: Mapping[str, object]
    """The names and types of its fields, without values."""


def hidden_by(unreadable: Iterable[UnreadableRecord]) -> Callable[..., bool]:
    """Return the question whether an identity may be that of one of these records."""
    identities = {record.identity for record in unreadable}
    patterns = [identity for identity in identities if None in identity or not identity]

    def may_be_hidden(*identity: str) -> bool:
        return identity in identities or any(_fits(identity, pattern) for pattern in patterns)

    return may_be_hidden


def _fits(identity: Sequence[str], pattern: Sequence[str | None]) -> bool:
    return not pattern or all(known in {None, part} for part, known in zip(identity, pattern, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPage:
    """One page of a list, from the start of its request to the end of its answer, UTC."""

    shown: tuple[Shown, ...]
    asked_at: datetime
    answered_at: datetime


def _observation(item: Shown, page: AnsweredPage) -> Observation:
    return Observation(
        ref=item.ref,
        status=item.status,
        asked_at=page.asked_at,
        answered_at=page.answered_at,
        source=Source.LIST,
        record=item.record,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """A valid answer: complete, in time, and about the service or training that was requested."""

    shown: tuple[Shown, ...]
    """The trainings in it; those of a list have no times of their own."""
    asked_at: datetime
    answered_at: datetime
    digest: bytes
    """SHA-256 of the body, or of the digests of several pages."""
    deviations: tuple[str, ...] = ()
    """Differences from the documents that are no failure, e.g. ``new field: foo``."""
    unreadable: tuple[UnreadableRecord, ...] = ()
    """Records of the list that are left out."""
    server_date: datetime | None = None
    failed_views: Mapping[TrainingRef, PollFailure] = field(default_factory=dict, hash=False)
    """The views that failed, where views replace a list."""

    pages: tuple[AnsweredPage, ...] = ()
    """The pages of a list, each with its times; empty where the times of the result are those of each training."""

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The trainings with their times; a list of many is cheaper as it is ``shown``."""
        return tuple(self.observed(self.shown))

    def observed(self, items: Sequence[Shown]) -> Iterator[Observation]:
        """Yield some of the trainings with their times: those of the latest page that has them."""
        whole = AnsweredPage(shown=(), asked_at=self.asked_at, answered_at=self.answered_at)
        only = self.pages[0] if len(self.pages) == 1 else whole
        pages = self.pages if items and only is whole else ()
        page_of = {id(item): page for page in pages for item in page.shown}
        for item in items:
            yield item if isinstance(item, Observation) else _observation(item, page_of.get(id(item), only))

    def absent(self, known: Iterable[TrainingRef]) -> list[TrainingRef]:
        """Return those of these trainings that the answer lacks, and that no unreadable record may stand for."""
        may_be_hidden = hidden_by(self.unreadable)
        return [ref for ref in self._not_shown(known) if not may_be_hidden(ref.type, ref.version)]

    def hidden(self, known: Iterable[TrainingRef]) -> list[TrainingRef]:
        """Return those of these trainings that an unreadable record may stand for."""
        may_be_hidden = hidden_by(self.unreadable)
        return [ref for ref in self._not_shown(known) if may_be_hidden(ref.type, ref.version)]

    def _not_shown(self, known: Iterable[TrainingRef]) -> list[TrainingRef]:
        wanted = list(known)
        shown = {item.ref for item in self.shown} if wanted else frozenset()
        return [ref for ref in wanted if ref not in shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFailure:
    """A failed poll, with its cause."""

    cause: Cause
    detail: str
    """One line for a person, without secrets, at most 300 characters."""
    asked_at: datetime
    ended_at: datetime
    http_status: int | None = None
    code: str | None = None
    """The code in the error envelope, e.g. ``210``; never an HTTP status."""
    retry_after_seconds: float | None = None
    paused_until: datetime | None = None
    """The end of the pause of all requests of the account; ``None`` where this failure made none."""
    server_date: datetime | None = None

    @property
    def evidence(self) -> Evidence:
        """The evidence for the cause; the clocks are compared where they are the cause."""
        ahead = None
        if self.cause is Cause.CLOCK and self.server_date is not None:
            ahead = round((self.server_date - self.ended_at).total_seconds())
        return Evidence(http_status=self.http_status, code=plain_code(self.code), server_ahead_seconds=ahead)


PollOutcome = PollResult | PollFailure
NO_FAILURES: Final[Mapping[TrainingRef, PollFailure]] = MappingProxyType({})


def join_results(
    results: Sequence[PollResult], failed_views: Mapping[TrainingRef, PollFailure] = NO_FAILURES
) -> PollResult:
    """Return several results as one, from the first request to the last answer."""
    latest = max(results, key=lambda result: result.answered_at)
    return PollResult(
        failed_views=failed_views,
        shown=tuple(observation for result in results for observation in result.observations),
        asked_at=min(result.asked_at for result in results),
        answered_at=latest.answered_at,
        digest=hashlib.sha256(b"".join(result.digest for result in results)).digest(),
        deviations=tuple(sorted({description for result in results for description in result.deviations})),
        server_date=latest.server_date,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """The stored state of one poll."""

    key: str
    good_asked_at: datetime | None = None
    """Start of the latest good poll's request; ``None`` before the first."""
    good_answered_at: datetime | None = None
    digest: bytes | None = None
    """Hash of the latest answer and its request; an equal one needs no further processing.

    ``core.polling.covered`` adds the trainings of a joined list.
    """
    failures: int = 0
    """Consecutive failed polls."""
    failed_since: datetime | None = None
    cause: Cause | None = None
    detail: str | None = None
    name: str | None = None
    """The name of the service in the latest list of services; ``None`` where none has shown it."""
