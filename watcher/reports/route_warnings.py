"""What gives pause about routes: what they name and what may never come. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from watcher.config import Config
from watcher.core.routing.matcher import LABEL, is_pattern
from watcher.core.routing.routes import Route
from watcher.core.training.model import Status

MENTIONING: Final = frozenset({"slack", "slack-webhook"})
"""Kinds of receivers that show a mention."""


def route_warnings(config: Config) -> Iterator[str]:
    """Say what a route names that nothing in the configuration or the documents has."""
    for route in config.routes:
        yield from _unheard_of_statuses(route)
        yield from _unset_labels(route, config)
        yield from _ignored_mentions(route, config)


def _unheard_of_statuses(route: Route) -> Iterator[str]:
    for word in route.match.patterns.get("status", ()):
        if not is_pattern(word) and word not in set(Status):
            yield f"{route.name} waits for the status {word}, which AiTEMS' documents do not have"


def _unset_labels(route: Route, config: Config) -> Iterator[str]:
    known = {LABEL + name for watch in config.watches for name in watch.labels}
    for key in route.match.patterns:
        if key.startswith(LABEL) and key not in known:
            yield f"{route.name} asks for the label {key.removeprefix(LABEL)}, which no watch has"


def _ignored_mentions(route: Route, config: Config) -> Iterator[str]:
    if route.mentions and not any(config.receivers[name].kind in MENTIONING for name in route.to):
        yield f"{route.name} mentions {' '.join(route.mentions)}, and none of its receivers is in Slack"
