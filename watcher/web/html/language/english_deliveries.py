"""The English texts about receivers and their deliveries: what waits, and what needs a decision."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ENGLISH_DELIVERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "nothing-dead": "Nothing needs a decision.",
        "receivers-failing": "{n} receiver is failing: {names}|{n} receivers are failing: {names}",
        "nothing-sent": "Nothing has been sent yet",
        "dead-count-text": "{n} delivery needs a decision.|{n} deliveries need a decision.",
        "waiting-list": "Waiting",
        "dead-list": "To be decided",
        "oldest-first": "Oldest first",
        "first-of": "The oldest {n} are shown",
        "last-delivery": "Last delivery",
        "retry-all": "Retry {n} dead letter|Retry all {n} dead letters",
        "retry-oldest": "Retry the oldest {n} dead letters",
        "done-retry-all": "{n} delivery to {receiver} will be sent again.|"
        "{n} deliveries to {receiver} will be sent again.",
        "no-delivery": "no delivery yet",
    }
)
