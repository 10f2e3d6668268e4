"""The English texts of the problems of the watcher: the name of each, and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.health.problems import REMEDIES

ENGLISH_PROBLEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "problem-no-daemon": "No daemon runs",
        "problem-daemon-silent": "The daemon does not answer",
        "problem-store-unreadable": "The store cannot be read",
        "problem-store-failing": "The store cannot be written",
        "problem-loop-late": "The watcher is late",
        "problem-events-unrouted": "Events wait for their route",
        "problem-receiver-failing": "A receiver is failing",
        "problem-problem-unannounced": "A problem reached no receiver",
        "problem-dead-letters-unannounced": "Dead letters reached no receiver",
        "problem-incident-open": "AiTEMS cannot be polled",
        "problem-poll-failing": "A poll is failing",
        "problem-delivery-failed": "A delivery needs a decision",
        "problem-store-restored": "The store was restored",
        "problem-backup-missing": "There is no recent backup",
        "problem-web-not-listening": "The page cannot be reached",
        # The same as in status.
        **{f"remedy-{code}": text for code, text in REMEDIES.items()},
    }
)
