"""The English texts about retrainings that are overdue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.messages.language.phrases import Phrase

ENGLISH_OVERDUE: Final[Mapping[Phrase, str]] = MappingProxyType(
    {
        Phrase.OVERDUE: "Retraining overdue",
        Phrase.OVERDUE_NONE_SINCE: "No new training since {time}; expected by {due}",
        Phrase.OVERDUE_NONE_SEEN: "No new training seen; expected by {due}",
        Phrase.OVERDUE_EVERY: " (`expect_every` {period})",
        Phrase.OVERDUE_EVERY_LEARNED: " (period {period}, learned from {count} starts)",
        Phrase.OVERDUE_NO_UPDATE_SINCE: "No new training or update since {time}; expected by {due}",
        Phrase.OVERDUE_NO_UPDATE_SEEN: "No new training or update seen; expected by {due}",
        Phrase.OVERDUE_EVERY_CYCLE: " (the cycle of the service is {period})",
        Phrase.OVERDUE_CYCLE_REMEDY: "Check the schedule of the service in the AiTEMS console",
        Phrase.OVERDUE_LAST_GOOD: "Last good version {version}, {age} ago",
        Phrase.OVERDUE_REMEDY: "Check the job that requests trainings: AiTEMS answers and lists no newer version",
        Phrase.OVERDUE_NONE_COMPLETED: "No poll has seen a training complete; `stale_after` is {limit}",
        Phrase.OVERDUE_LAST_COMPLETED: "No training completed since {version}, {age} ago; `stale_after` is {limit}",
        Phrase.OVERDUE_STALE_REMEDY: "Check why newer trainings do not complete, or do not start",
        Phrase.OVERDUE_POLLED: "polled at {time}",
        Phrase.OVERDUE_POLLED_SEVERAL: "polled between {first} and {last}",
        Phrase.OVERDUE_REMEDY_SEVERAL: (
            "Check the job that requests trainings: AiTEMS answers and lists no newer versions"
        ),
        Phrase.OVERDUE_REMEDY_MIXED: "Check the job that requests trainings, and why newer ones do not complete",
        Phrase.BATCH_OVERDUE: "{count} retrainings overdue",
        Phrase.BATCH_OVERDUE_ONE: "1 retraining overdue",
        Phrase.GROUP_OVERDUE: "Retraining overdue {count}",
        Phrase.COUNT_OVERDUE: "{count} overdue",
        Phrase.STATUS_OVERDUE: "overdue, no new training",
        Phrase.STATUS_OVERDUE_STALE: "overdue, none completed",
        Phrase.COLUMN_EXPECTED: "Expected by",
        Phrase.CAPTION_OVERDUE: "{count} overdue retrainings",
    }
)
