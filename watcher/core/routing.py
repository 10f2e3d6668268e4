"""Which receivers an event goes to: ordered routes, the first match wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from watcher.core.event import DEFAULT_KINDS, Event

ALL_KINDS: Final = "*"


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
class Plan:
    """Where an event goes, and why."""

    to: tuple[str, ...]
    reason: str
    """``route N``, or why no route takes it."""


def plan(event: Event, routes: tuple[Route, ...]) -> Plan:
    """Return the receivers of the first route that takes the event, each once, in the route's order."""
    for route in routes:
        if route.takes(event):
            return Plan(to=tuple(dict.fromkeys(route.to)), reason=f"route {route.number}")
    return Plan(to=(), reason="no route names this kind")
