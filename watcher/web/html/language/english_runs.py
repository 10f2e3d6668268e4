"""The English texts about the runs of a service and type: one beside the others, updates, and when the next is due."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ENGLISH_RUNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Above a service or a training that cannot be polled.
        "failing-since": "It began at {time}, {age} ago.",
        # The first lines of a training.
        "last-good-age": "The last good version, {version}, is {age} old.",
        "last-good-no-age": "The last good version is {version}. It completed before polling began.",
        "options-differ": "{n} option differs from it.|{n} options differ from it.",
        "options-same": "No option differs from it.",
        "fails-in-a-row": "The run before it failed.|The {n} runs before it failed.",
        # The card about the latest run.
        "context": "Context",
        "failures": "Failures in a row",
        "failures-before": "Failures before it",
        "first-failure": "First of them",
        "last-good": "Last good version",
        "age": "{age} old",
        "usual-of-account": "{low} to {high}, {n} run of this type in the account|"
        "{low} to {high}, {n} runs of this type in the account",
        "options-changed": "Options changed",
        "hint": "Hint, not a diagnosis:",
        # A type of a service.
        "durations-of": "Durations of the runs of {type} in the last 90 days, with the usual band; "
        "the table has the latest.",
        "retrains": "Retrains",
        "every": "every {period}",
        "by-setting": "by expect_every",
        "by-cycle": "by the cycle of the service",
        "by-starts": "{n} start known|{n} starts known",
        "next-start": "next by {time}",
        "start-was-due": "was due by {time}",
        "updates-of": "Updates of",
        "update": "Update",
        "counts": "Counts",
        "notified-of": "Notified",
        "no-run-90d": "No run has ended within 90 days.",
        # The other runs of its service and type.
        "other-runs": "Other runs",
        "no-other-run": "No other run has ended.",
    }
)
