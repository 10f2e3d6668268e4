"""The English texts about the watcher itself: its start, what is missing for one, and its card."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ENGLISH_WATCHER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "restarted-text": "Not everything was polled since the start.",
        "has-reasons": "not ready",
        "nothing-polled": "Nothing is polled yet",
        "nothing-polled-text": "No watch has a service, so nobody is notified of anything.",
        "add-card": "Add a service",
        "add-find": "Find it",
        "add-find-text": "aitems-watcher discover lists the services of each account.",
        "add-watch": "Watch it",
        "add-watch-text": "Write a table [[watch]] with its id as service into the configuration.",
        "add-reload": "Reload",
        "add-reload-text": "aitems-watcher reload, or systemctl reload aitems-watcher.",
    }
)
