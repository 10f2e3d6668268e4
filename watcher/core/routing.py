"""Which receivers an event goes to: ordered routes, the first match wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from watcher.core.event import DEFAULT_KINDS, Event

ALL_KINDS: Final = "*"
FLAP_LIMIT: Final = 10
"""A training's life takes about five events; more than twice as many in an hour are a storm."""
FLAP_WINDOW: Final = timedelta(hours=1)
DIGEST_PATIENCE: Final = timedelta(minutes=10)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """All routes, with what holds for each of them."""

    routes: tuple[Route, ...]
    flap_limit: int = FLAP_LIMIT


def plan(event: Event, routes: tuple[Route, ...], recent: int = 1, flap_limit: int = FLAP_LIMIT) -> Plan:
    """Return the receivers of the first route that takes the event, each once, in the route's order.

    Args:
        event: what is to be told.
        routes: in the order of the configuration.
        recent: how many events its subject had within the last hour, this one among them.
        flap_limit: how many of them are told by themselves.
    """
    for route in routes:
        if route.takes(event):
            to = tuple(dict.fromkeys(route.to))
            return Plan(to=to, reason=f"route {route.number}", group=group_of(event, recent, flap_limit))
    return Plan(to=(), reason="no route names this kind")


def group_of(event: Event, recent: int, flap_limit: int) -> Group | None:
    """Return what an event is told together with, if anything.

    Late changes of one occasion go together, but for what is urgent. A subject that does not come to rest is told in
    digests from ``flap_limit`` events an hour on, whatever the kind; what cannot be seen is always told by itself.
    """
    if event.incident is not None:
        return None
    if recent > flap_limit:
        return Group(key=f"digest {event.subject}", patience=DIGEST_PATIENCE)
    if event.group is None or event.urgent:
        return None
    return Group(key=event.group, patience=CATCH_UP_PATIENCE)
