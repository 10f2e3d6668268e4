"""Warnings about routes: statuses, labels and mentions without effect, and waits that outlast ``give_up_after``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from watcher.config import Config
from watcher.core.duration import format_duration
from watcher.core.routing.matcher import LABEL, is_pattern
from watcher.core.routing.routes import CATCH_UP_PATIENCE, DIGEST_PATIENCE, Route
from watcher.core.training.model import Status

MENTIONING: Final = frozenset({"slack", "slack-webhook"})
"""The kinds of receivers that show a mention."""


def route_warnings(config: Config) -> Iterator[str]:
    """Return a line for each part of a route that cannot have an effect, and for each wait that is too long."""
    for route in config.routes:
        yield from _undocumented_statuses(route)
        yield from _unset_labels(route, config)
        yield from _ignored_mentions(route, config)
    yield from _short_expiry(config)


def _short_expiry(config: Config) -> Iterator[str]:
    """Warn where a delivery that waits for us is older than ``give_up_after`` before its first attempt."""
    limit = config.delivery.give_up_after
    holds = [
        ("a catch-up", CATCH_UP_PATIENCE),
        ("a digest", DIGEST_PATIENCE),
        *((f"group_for of {route.name}", route.group_for) for route in config.routes if route.group_for is not None),
    ]
    longer = [f"{name} ({format_duration(hold)})" for name, hold in holds if hold > limit]
    if longer:
        yield (
            f"[delivery] give_up_after is {format_duration(limit)}, shorter than {', '.join(longer)}; "
            "it counts from the first attempt, so such a message may be older when it arrives"
        )


def _undocumented_statuses(route: Route) -> Iterator[str]:
    patterns = route.match.patterns
    # A status in both keys is one warning.
    for status in dict.fromkeys((*patterns.get("status", ()), *patterns.get("from", ()))):
        if not is_pattern(status) and status not in set(Status):
            yield f"{route.name} matches the status {status}, which the documents of AiTEMS do not have"


def _unset_labels(route: Route, config: Config) -> Iterator[str]:
    known = {LABEL + name for watch in config.watches for name in watch.labels}
    for key in route.match.patterns:
        if key.startswith(LABEL) and key not in known:
            yield f"{route.name} matches the label {key.removeprefix(LABEL)}, which no watch has"


def _ignored_mentions(route: Route, config: Config) -> Iterator[str]:
    if route.mentions and not any(config.receivers[name].kind in MENTIONING for name in route.to):
        yield f"{route.name} mentions {' '.join(route.mentions)}, but none of its receivers is in Slack"
