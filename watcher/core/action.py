"""The actions of people, as the history keeps them: each has its author."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from watcher.core.delivery.reason import NO_REASON, Reason
from watcher.core.timestamps import require_utc

AUTHOR_MAX: Final = 100
"""The most characters of an author's name."""


class ActionKind(StrEnum):
    """The kinds of actions."""

    RETRY = "retry"
    DROP = "drop"
    TEST = "test"
    SILENCE = "silence"
    END_SILENCE = "end-silence"
    RELOAD = "reload"


OF_DELIVERIES: Final = frozenset({ActionKind.RETRY, ActionKind.DROP})
OF_RECEIVERS: Final = OF_DELIVERIES | {ActionKind.TEST}
"""The kinds that the page of deliveries shows."""
OF_SILENCES: Final = frozenset({ActionKind.SILENCE, ActionKind.END_SILENCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of one person."""

    kind: ActionKind
    target: str
    """The id of a delivery or of a silence, the name of a receiver, or the path of the configuration."""
    author: str
    """Empty where an older command did not say it."""
    at: datetime
    outcome: str = ""
    """Of a test: the name of the class of its outcome, e.g. ``Delivered``."""
    reason: Reason = NO_REASON
    """Of a test that was not delivered."""

    def __post_init__(self) -> None:
        require_utc(self.at)
