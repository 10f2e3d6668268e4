"""Answers of receivers: the part that is stored, the requested wait, and the outcome without an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from watcher.core.delivery.model import MAX_RETRY_AFTER_SECONDS, Outcome, RefusalScope, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode
from watcher.core.messages.text import one_line
from watcher.core.secret import Secret
from watcher.http import Answered, FailureReason, MaybeSent, NotSent, retry_after_seconds
from watcher.logs import Redactor

ANSWER_LIMIT: Final = 200
"""Characters of an answer that are stored with the delivery."""
BODY_LIMIT: Final = 16_384
"""Characters of an answer that are read."""
SHORTEST_SECRET: Final = 8
"""Shorter parts of a header or address are words such as ``Bearer``, and hiding them makes a text unreadable."""
SHORTEST_PATH_SECRET: Final = 16
REDACTORS: Final = 64
"""Redactors that are kept, as a receiver has the same secrets at nearly every attempt."""
NOT_RENDERED: Final = Refused(reason=Reason(code=ReasonCode.NOT_RENDERED), scope=RefusalScope.MESSAGE)
"""The outcome of a delivery without the sealed body that its receiver needs."""


def requested_pause_seconds(answered: Answered) -> float | None:
    """Return the seconds that ``Retry-After`` requests, at most an hour; ``None`` where it is absent, invalid or zero.

    Zero is ignored to keep our own back-off, which protects a receiver that always answers zero.
    """
    requested = retry_after_seconds(answered.headers, answered.answered_at, at_most=MAX_RETRY_AFTER_SECONDS)
    return requested or None


def redactor_for(url: Secret | None, others: Iterable[Secret]) -> Redactor:
    """Return a redactor for the receiver's address, key and headers, which an answer may repeat."""
    return _redactor_of(url, tuple(others))


@lru_cache(REDACTORS)
def _redactor_of(url: Secret | None, others: tuple[Secret, ...]) -> Redactor:
    redactor = Redactor()
    pieces = {piece for secret in others for piece in _pieces(secret.reveal())}
    pieces |= set(_url_pieces(url.reveal())) if url else set()
    for piece in pieces:
        redactor.learn(Secret(piece))
        # Some JSON writers escape the slash.
        redactor.learn(Secret(piece.replace("/", "\\/")))
    return redactor


def _pieces(secret: str) -> Iterator[str]:
    yield secret.strip()
    yield from (part for part in secret.split() if len(part) >= SHORTEST_SECRET)
    yield from (part.removeprefix("whsec_") for part in secret.split() if part.startswith("whsec_"))


def _url_pieces(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    yield url
    yield from (part for part in (parts.username, parts.password) if part)
    yield from (value for _, value in parse_qsl(parts.query) if len(value) >= SHORTEST_SECRET)
    yield from (part for part in parts.path.split("/") if len(part) >= SHORTEST_PATH_SECRET)
    if len(parts.path) >= SHORTEST_PATH_SECRET:
        yield parts.path


def shortened_answer(answered: Answered, redactor: Redactor) -> str:
    """Return the status and the start of the answer, clean enough to store and show."""
    body = redactor.clean(answered.body.decode("utf-8", "replace"))
    return one_line(f"{answered.status} {body[:BODY_LIMIT]}", ANSWER_LIMIT)


def outcome_without_answer(call: NotSent | MaybeSent, redactor: Redactor) -> Outcome:
    """Return the outcome of a call without a complete answer."""
    detail = one_line(redactor.clean(call.detail), ANSWER_LIMIT)
    if isinstance(call, MaybeSent):
        return Uncertain(reason=Reason(code=ReasonCode.NO_ANSWER, cause=call.reason.value), answer=detail)
    if call.reason in _LASTING:
        return Refused(reason=_lasting_reason(_LASTING[call.reason], call.reason, detail), answer=detail)
    return TryLater(reason=Reason(code=ReasonCode.NOT_SENT, cause=call.reason.value), answer=detail)


_LASTING: Final = MappingProxyType(
    {
        FailureReason.ADDRESS: ReasonCode.ADDRESS_REFUSED,
        FailureReason.PROXY_KIND: ReasonCode.PROXY_REFUSED,
        FailureReason.INVALID: ReasonCode.REQUEST_INVALID,
    }
)
"""Failures that last until a person acts."""


def _lasting_reason(code: ReasonCode, cause: FailureReason, detail: str) -> Reason:
    return Reason(code=code, cause=cause.value, detail="" if code is ReasonCode.REQUEST_INVALID else detail)
