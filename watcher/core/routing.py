"""Which receivers an event goes to: ordered routes, the first match wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from watcher.core.event import DEFAULT_KINDS, Event

ALL_KINDS: Final = "*"
CATCH_UP_PATIENCE: Final = timedelta(minutes=2)
"""A catch-up goes when everything was looked at again; this ends its wait where that does not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which kinds go to which receivers; ``kinds`` of ``None`` stands for the default kinds."""

    number: int
    """The route's place in the configuration, from 1; 0 where it is implied."""
    kinds: frozenset[str] | None
    to: tuple[str, ...]

    def takes(self, event: Event) -> bool:
        """Say whether this route matches the event."""
        if self.kinds is None:
            return event.kind in DEFAULT_KINDS
        return ALL_KINDS in self.kinds or event.kind in self.kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What an event is told together with, instead of by itself."""

    key: str
    patience: timedelta
    """How long an open group waits for more, unless it is let go before."""
    largest: int = 20
    """More than this make a further group: one message must stay readable, and within Slack's limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where an event goes, and why."""

    to: tuple[str, ...]
    reason: str
    """``route N``, or why no route takes it."""
    group: Group | None = None


def plan(event: Event, routes: tuple[Route, ...]) -> Plan:
    """Return the receivers of the first route that takes the event, each once, in the route's order."""
    for route in routes:
        if route.takes(event):
            to = tuple(dict.fromkeys(route.to))
            return Plan(to=to, reason=f"route {route.number}", group=group_of(event))
    return Plan(to=(), reason="no route names this kind")


def group_of(event: Event) -> Group | None:
    """Return what an event is told together with: late changes of one occasion, but for what is urgent."""
    if event.group is None or event.urgent:
        return None
    return Group(key=event.group, patience=CATCH_UP_PATIENCE)
