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
        "last-poll": "Last poll",
        "last-polls-failed": "Failing polls",
        "lateness": "Poll lateness, p95",
        "lateness-text": "{n} s",
        "requests": "Requests",
        "requests-text": "{rate} of {allowed} per s",
        "requests-of": "{account}: {rate}",
        "heartbeat": "Heartbeat",
        "heartbeat-off": "not configured",
        "heartbeat-sent": "sent {age}",
        "heartbeat-failed": "failed {age}",
        "heartbeat-withheld": "withheld {age}",
        "running-since": "Running since",
        "trainings-known": "Trainings known",
        "store": "Store",
        "megabytes": "{n} MB",
        "backup-made": "backup {age}",
        "no-backup": "no backup yet",
        "deviations": "API deviations",
        "next-poll": "Next poll",
    }
)
