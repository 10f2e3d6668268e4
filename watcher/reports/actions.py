"""Actions of people as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.reason import Reason, ReasonCode, reason_json
from watcher.core.messages.language.words import ENGLISH_WORDS, Words
from watcher.core.messages.reasons import reason_text
from watcher.core.timestamps import to_text

_REASONS: Final = {ActionKind.RETRY: ReasonCode.RETRIED, ActionKind.DROP: ReasonCode.DROPPED}


def action_text(action: Action, words: Words = ENGLISH_WORDS) -> str:
    """Write a retry or a drop as the reason of its delivery has it, e.g. ``retried by mina``."""
    return reason_text(Reason(code=_REASONS[action.kind], name=action.author), words)


def action_json(action: Action) -> dict[str, object]:
    """Return an action as plain JSON, for programs."""
    reason = {"reason": reason_text(action.reason), "reason_code": reason_json(action.reason)}
    return {
        "action": action.kind.value,
        "target": action.target,
        "by": action.author,
        "at": to_text(action.at),
        **({"outcome": action.outcome, **reason} if action.kind is ActionKind.TEST else {}),
    }


def reasons_text(reason: str, actions: Iterable[Action], words: Words = ENGLISH_WORDS) -> str:
    """Write the reason of a delivery, and the retries and drops that it does not name."""
    texts = dict.fromkeys((reason, *(action_text(action, words) for action in actions)))
    return ", ".join(text for text in texts if text)
