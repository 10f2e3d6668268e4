"""The text of a reason: why an attempt, a lookup or a delivery ended as it did."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from watcher.core.delivery.reason import Context, Reason, ReasonCode
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import ENGLISH_WORDS, Words
from watcher.core.messages.text import TextLine, code, plain_text

KNOWN_REASONS: Final = 256
"""Texts that are kept: each attempt asks for that of its reason, twice."""

_CAUSES: Final[Mapping[ReasonCode, Phrase]] = MappingProxyType(
    {
        ReasonCode.HTTP_REFUSED: Phrase.REASON_HTTP,
        ReasonCode.REDIRECTED: Phrase.REASON_HTTP,
        ReasonCode.REQUEST_INVALID: Phrase.REASON_NOT_SENT,
        ReasonCode.ADDRESS_REFUSED: Phrase.REASON_NOT_SENT,
        ReasonCode.NAMED_REFUSED: Phrase.REASON_NAMED,
        ReasonCode.SCOPE_MISSING: Phrase.REASON_NAMED,
        ReasonCode.HTML_PAGE: Phrase.CAUSE_HTML_PAGE,
    }
)
"""The phrase without the remedy, for each code whose text has one."""
_DETAILED: Final[Mapping[ReasonCode, Phrase]] = MappingProxyType(
    {ReasonCode.NOT_SENT: Phrase.NOT_SENT_BECAUSE, ReasonCode.NO_ANSWER: Phrase.NO_ANSWER_BECAUSE}
)
"""The phrase of a failed connection of which a detail is known."""
_REMEDIES: Final[Mapping[ReasonCode, Phrase]] = MappingProxyType(
    {
        ReasonCode.REDIRECTED: Phrase.REFUSAL_SET_FINAL_URL,
        ReasonCode.REQUEST_INVALID: Phrase.FIX_REQUEST,
        ReasonCode.ADDRESS_REFUSED: Phrase.FIX_HOST,
        ReasonCode.SCOPE_MISSING: Phrase.FIX_SCOPE,
        ReasonCode.HTML_PAGE: Phrase.FIX_PROXY,
    }
)
"""The remedy that follows from a code alone."""


@lru_cache(KNOWN_REASONS)
def reason_text(reason: Reason, words: Words = ENGLISH_WORDS) -> str:
    """Write a reason in one line; empty where nothing has happened yet. Its parameters are not cleaned."""
    return _written(reason, _phrase(reason), words, reason.within)


def cause_text(reason: Reason, words: Words = ENGLISH_WORDS) -> str:
    """Write a reason without its remedy and without the note that it has expired, which a message says elsewhere."""
    within = tuple(context for context in reason.within if context is not Context.EXPIRED)
    return _written(reason, _CAUSES.get(reason.code, _phrase(reason)), words, within)


def refusal_remedy(reason: Reason, words: Words = ENGLISH_WORDS) -> TextLine:
    """Return the remedy that a reason names, beginning with a small letter; empty where it names none."""
    if reason.remedy is not None:
        return words.say(Phrase(f"refusal_{reason.remedy.name.lower()}"))
    if reason.code in _REMEDIES:
        return words.say(_REMEDIES[reason.code], scope=code(reason.detail))
    return ()


def _phrase(reason: Reason) -> Phrase:
    if reason.code is ReasonCode.RETRIED and reason.name:
        return Phrase.RETRIED_BY
    if reason.detail and reason.code in _DETAILED:
        return _DETAILED[reason.code]
    return Phrase(f"reason_{reason.code.name.lower()}")


def _written(reason: Reason, phrase: Phrase, words: Words, within: tuple[Context, ...]) -> str:
    text = words.text(
        phrase,
        status=reason.status or 0,
        name=reason.name or words.text(Phrase.REASON_HTTP, status=reason.status or 0),
        cause=reason.cause,
        detail=reason.detail,
        remedy=plain_text(refusal_remedy(reason, words)),
    )
    for context in reversed(within):
        text = words.text(Phrase(f"context_{context.name.lower()}"), reason=text)
    return text
