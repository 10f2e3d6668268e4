"""What comes of asking AiTEMS once: what was seen, or why nothing could be seen.

"We cannot see" is never a status of a training: a look fails, not a training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watcher.core.training.model import Observation


class Cause(StrEnum):
    """Why a look showed nothing; the word stands in the store, the log, the metric and the message."""

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
    """429 with gateway code 400: the quota is used up."""
    THROTTLE = "throttle"
    """429 with gateway code 410."""
    RATE = "rate"
    """429 with gateway code 420, or without a code."""
    SERVER = "server-error"
    """Any 5xx."""
    BAD_ANSWER = "bad-answer"
    """An answer that is not what the documents promise: redirect, HTML, missing fields, another training's."""
    REFUSED = "refused"
    """Any other 4xx: the gateway does not take our request as it is."""
    CLOCK = "clock"
    """Refused, and the server's ``Date`` is more than five minutes off ours."""
    NOT_FOUND = "not-found"
    """404 or 410: there is no such service or training, or the gateway does not know the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """A counting answer: whole, in time, and about what was asked."""

    observations: tuple[Observation, ...]
    asked_at: datetime
    answered_at: datetime
    digest: bytes
    """SHA-256 over the body, or over the bodies of all pages."""
    deviations: tuple[str, ...] = ()
    """Where the answer differs from the documents without being wrong, e.g. ``new field: foo``."""
    server_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFailure:
    """A look that showed nothing, with the reason."""

    cause: Cause
    detail: str
    """One line for a person: what came back or broke, without secrets and cut to 300 characters."""
    asked_at: datetime
    ended_at: datetime
    http_status: int | None = None
    code: str | None = None
    """The code in the error envelope, e.g. ``210``; never an HTTP status."""
    retry_after_seconds: float | None = None
    server_date: datetime | None = None


PollOutcome = PollResult | PollFailure


def joined(answers: Sequence[PollResult]) -> PollResult:
    """Return several answers as one: it began with the first request and ended with the last answer."""
    return PollResult(
        observations=tuple(item for seen in answers for item in seen.observations),
        asked_at=min(seen.asked_at for seen in answers),
        answered_at=max(seen.answered_at for seen in answers),
        digest=hashlib.sha256(b"".join(seen.digest for seen in answers)).digest(),
        deviations=tuple(sorted({description for seen in answers for description in seen.deviations})),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """What is remembered of one recurring question to AiTEMS."""

    key: str
    good_asked_at: datetime | None = None
    """Start of the latest request that was answered; ``None`` before the first."""
    good_answered_at: datetime | None = None
    digest: bytes | None = None
    """Over the latest answer and what it was asked for; equal ones need no second reading."""
    failures: int = 0
    """Failed looks in a row."""
    failed_since: datetime | None = None
    cause: Cause | None = None
    detail: str | None = None
