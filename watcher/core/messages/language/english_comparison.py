"""The English texts of lines that set a training beside earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.messages.language.phrases import Phrase

ENGLISH_COMPARISON: Final[Mapping[Phrase, str]] = MappingProxyType(
    {
        Phrase.FAILED_AFTER_USUAL: "{status} after {duration} (usually done in {usual}, {runs})",
        Phrase.FAILED_AFTER_FAILURES: "{status} after {duration} (failures usually after {usual}, {runs})",
        Phrase.NTH_FAILURE: "{nth} failure in a row",
        Phrase.NTH_FAILURE_AFTER: "{failure}, after {duration} (usually done in {usual})",
        Phrase.FIRST_FAILURE: "1st failure after {count} good runs",
        Phrase.FIRST_FAILURE_ONE: "1st failure after 1 good run",
        Phrase.FIRST_SUCCESS: "1st success after {count} failures",
        Phrase.FIRST_SUCCESS_ONE: "1st success after 1 failure",
        Phrase.LAST_GOOD: "last good version {version}, {age} ago",
        Phrase.LAST_GOOD_VERSION: "last good version {version}",
        Phrase.NO_GOOD: "no good version known",
        Phrase.PREVIOUS_GOOD_AGE: "the last good version was {age} old",
        Phrase.AGO: "{age} ago",
        Phrase.CHANGED_GUESS: "Changed since then: {changes} (possible causes, a guess)",
        Phrase.CHANGED_GUESS_ONE: "Changed since then: {changes} (possible cause, a guess)",
        Phrase.CHANGED_SINCE_FAILURE: "Changed since the last failure: {changes}",
        Phrase.SETTING_CHANGE: "{option} {old} → {new}",
        Phrase.NOT_SET: "not set",
        Phrase.GUESS_REQUEST_UNCHANGED: (
            "Check the request first (a guess): the settings are those of the last good version"
        ),
        Phrase.GUESS_DATA_UNCHANGED: (
            "Check the data set first (a guess): the settings are those of the last good version"
        ),
        Phrase.GUESS_TRAINING_UNCHANGED: (
            "Check the data first (a guess): the settings are those of the last good version"
        ),
        Phrase.TOOK_USUAL: "took {duration} (usually {usual}, {runs})",
        Phrase.TOOK_SHORT: "took {duration} (usually {usual})",
        Phrase.USUAL_SINCE: "{usual} since {time}",
        Phrase.RUNS: "{count} runs",
        Phrase.RUNS_ONE: "1 run",
        Phrase.RUNS_OF_ACCOUNT: "{count} runs of this type in the account",
        Phrase.RUNS_OF_ACCOUNT_ONE: "1 run of this type in the account",
        Phrase.STAGE_FOR: "{status} for {duration}",
        Phrase.STAGE_FOR_USUAL: "{status} for {duration} (usually {usual}, longest {longest}, {runs})",
        Phrase.RUN_FOR: "In progress for {duration}, now {status}",
        Phrase.RUN_FOR_USUAL: ("In progress for {duration} (usually {usual}, longest {longest}, {runs}), now {status}"),
        Phrase.STUCK_SHORT: "{status} for {duration} (usually {usual}). A guess from earlier runs",
        Phrase.RUN_STUCK_SHORT: "In progress for {duration} (usually {usual}). A guess from earlier runs",
        Phrase.STUCK_GUESS: "A guess from earlier runs: AiTEMS does not report progress",
        Phrase.STUCK_CONFIGURED: "Longer than `stuck_after` ({limit}); AiTEMS does not report progress",
        Phrase.STUCK_REMEDY: "Check the console; AiTEMS cannot stop a training while it runs",
        Phrase.STUCK_REMEDY_STOPPING: "Check the console, or ask NAVER Cloud support",
        Phrase.MOVED: "{change} after {duration}",
        Phrase.MOVED_USUAL: "{change} after {duration} (usually {usual}, {runs})",
        Phrase.MOVED_RUN: "{change} after {duration} in progress",
        Phrase.MOVED_RUN_USUAL: "{change} after {duration} in progress (usually {usual}, {runs})",
        Phrase.ENDS: "Ends about {time} ({low} to {high}), an estimate from {runs}",
        Phrase.FAST_GUESS: "Data may be missing (a guess): check the data set",
        Phrase.POLLED: "polled at {time}",
        Phrase.NEXT_ON_CHANGE: "next message when its status changes",
        Phrase.NEXT_STUCK: "next message when its status changes, or once it has taken {duration}",
        Phrase.REPORTED_STUCK: "reported as possibly stuck at {time}",
        Phrase.BATCH_BEFORE: "For {count} of the {total}, the run before was good",
        Phrase.BATCH_BEFORE_ALL: "For all of them, the run before was good",
        Phrase.ROW_STREAK: "{count} in a row",
        Phrase.STATUS_STUCK: "{status} (may be stuck)",
        Phrase.STATUS_FAST: "{status} (unusually fast)",
        Phrase.COLUMN_USUAL: "Usually done in",
        Phrase.COLUMN_STREAK: "In a row",
        Phrase.COLUMN_LAST_GOOD: "Last good",
    }
)
"""The text of each phrase; ``ENGLISH`` has them too."""
