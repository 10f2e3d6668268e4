"""The text of a reason: why an attempt, a lookup or a delivery ended as it did."""

from __future__ import annotations

from watcher.core.delivery.reason import Reason
from watcher.core.messages.phrases import Phrase
from watcher.core.messages.words import ENGLISH_WORDS, Words


def reason_text(reason: Reason, words: Words = ENGLISH_WORDS) -> str:
    """Write a reason in one line; empty where nothing has happened yet. Its parameters are not cleaned."""
    text = words.text(
        Phrase(f"reason_{reason.code.name.lower()}"),
        status=reason.status or 0,
        name=reason.name or words.text(Phrase.REASON_HTTP, status=reason.status or 0),
        cause=reason.cause,
        detail=reason.detail,
        remedy="" if reason.remedy is None else words.text(Phrase(f"refusal_{reason.remedy.name.lower()}")),
    )
    for context in reversed(reason.within):
        text = words.text(Phrase(f"context_{context.name.lower()}"), reason=text)
    return text
