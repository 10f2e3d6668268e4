"""The result or failure of one poll, and the stored state of a poll.

A poll fails, not a training: "cannot be polled" is never a status of a training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watcher.core.training.model import Observation


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
    """An answer unlike the documents: a redirect, HTML, missing fields, or another training."""
    REFUSED = "refused"
    """Any other 4xx: the gateway rejects the request."""
    CLOCK = "clock"
    """A rejected request while the server's ``Date`` is more than five minutes from our clock."""
    NOT_FOUND = "not-found"
    """404 or 410: no such service or training, or a path that the gateway does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """A valid answer: complete, in time, and about the service or training that was requested."""

    observations: tuple[Observation, ...]
    asked_at: datetime
    answered_at: datetime
    digest: bytes
    """SHA-256 of the body, or of the bodies of all pages."""
    deviations: tuple[str, ...] = ()
    """Differences from the documents that are no failure, e.g. ``new field: foo``."""
    server_date: datetime | None = None


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
    server_date: datetime | None = None


PollOutcome = PollResult | PollFailure


def join_results(results: Sequence[PollResult]) -> PollResult:
    """Return several results as one, from the first request to the last answer."""
    return PollResult(
        observations=tuple(observation for result in results for observation in result.observations),
        asked_at=min(result.asked_at for result in results),
        answered_at=max(result.answered_at for result in results),
        digest=hashlib.sha256(b"".join(result.digest for result in results)).digest(),
        deviations=tuple(sorted({description for result in results for description in result.deviations})),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """The stored state of one poll."""

    key: str
    good_asked_at: datetime | None = None
    """Start of the latest good poll's request; ``None`` before the first."""
    good_answered_at: datetime | None = None
    digest: bytes | None = None
    """Hash of the latest answer and its request; an equal one needs no further processing."""
    failures: int = 0
    """Consecutive failed polls."""
    failed_since: datetime | None = None
    cause: Cause | None = None
    detail: str | None = None
