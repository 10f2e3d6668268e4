"""Which receivers an event goes to: ordered routes, the first match wins unless it lets the next ones look too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from watcher.core.event import Event
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.reason import NO_ROUTE, RoutingCode, RoutingReason, routed
from watcher.core.training.model import ServiceRef

FLAP_LIMIT: Final = 10
"""A training's life takes about five events; more than twice as many in an hour are a storm."""
FLAP_WINDOW: Final = timedelta(hours=1)
DIGEST_PATIENCE: Final = timedelta(minutes=10)
CATCH_UP_PATIENCE: Final = timedelta(minutes=2)
"""A catch-up goes when everything was looked at again; this ends its wait where that does not come."""
MENTIONS_MAX: Final = 10
"""People and teams that one message mentions, so that it stays within Slack's limits."""
DEFAULT_MATCH: Final = Matcher()
"""Every event of the default kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which events go to which receivers, and how they are told there."""

    number: int
    """The route's place in the configuration, from 1; also where it is implied."""
    match: Matcher = DEFAULT_MATCH
    to: tuple[str, ...]
    """Names of receivers; empty to drop on purpose."""
    goes_on: bool = False
    """Whether the routes after it look at the event too."""
    mentions: tuple[str, ...] = ()
    """Slack's markup for people and teams."""
    group_for: timedelta | None = None
    """How long what is not urgent waits for more of this route."""

    @property
    def name(self) -> str:
        """What reasons call it."""
        return f"route {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What an event is told together with, instead of by itself."""

    key: str
    patience: timedelta
    """How long an open group waits for more, unless it is let go before."""
    largest: int = 20
    """More than this make a further group: one message must stay readable, and within Slack's limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A receiver that is told, and how."""

    receiver: str
    mentions: tuple[str, ...] = ()
    group: Group | None = None
    in_doubt: bool = False
    """Whether it may have the event already, from an attempt whose answer did not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDecision:
    """Where an event goes, and why."""

    to: tuple[Recipient, ...]
    reason: RoutingReason

    @property
    def receivers(self) -> tuple[str, ...]:
        """The names of those that are told."""
        return tuple(recipient.receiver for recipient in self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """All routes, with what holds for each of them."""

    routes: tuple[Route, ...]
    flap_limit: int = FLAP_LIMIT


def route_event(
    event: Event, routes: Iterable[Route], recent: int = 1, flap_limit: int = FLAP_LIMIT
) -> RoutingDecision:
    """Return the receivers of the routes that take the event, each once, as the first that names it says.

    Args:
        event: what is to be told.
        routes: in the order of the configuration.
        recent: how many events its subject had within the last hour, this one among them.
        flap_limit: how many of them are told by themselves.
    """
    takers = tuple(taking(event, routes))
    by_receiver: dict[str, Route] = {}
    for route in takers:
        for receiver in route.to:
            by_receiver.setdefault(receiver, route)
    to = tuple(
        Recipient(receiver=receiver, mentions=route.mentions, group=group_of(event, route, recent, flap_limit))
        for receiver, route in by_receiver.items()
    )
    return RoutingDecision(to=to, reason=_reason(takers, dropped=not to))


def taking(event: Event, routes: Iterable[Route]) -> Iterator[Route]:
    """Yield the routes that take an event, in order, up to the first that does not go on."""
    for route in routes:
        if route.match.difference(event) is None:
            yield route
            if not route.goes_on:
                return


def _reason(takers: tuple[Route, ...], *, dropped: bool) -> RoutingReason:
    if not takers:
        return NO_ROUTE
    taken = routed(*(route.number for route in takers))
    return replace(taken, code=RoutingCode.DROPPED) if dropped else taken


def group_of(event: Event, route: Route, recent: int, flap_limit: int) -> Group | None:
    """Return what an event is told together with, if anything.

    Late changes of one occasion go together, and what a route collects, but for what is urgent. A subject that does
    not come to rest is told in digests from ``flap_limit`` events an hour on, whatever the kind; what cannot be seen
    is always told by itself.
    """
    if event.incident is not None:
        return None
    if recent > flap_limit:
        return Group(key=f"digest {_is_flapping(event)}", patience=DIGEST_PATIENCE)
    if event.urgent:
        return None
    if event.group is not None:
        return Group(key=event.group, patience=CATCH_UP_PATIENCE)
    return None if route.group_for is None else Group(key=route.name, patience=route.group_for)


def _is_flapping(event: Event) -> str:
    """Return what a digest is of: what keeps one training from resting, a stale replica say, does so to its service."""
    if event.account is None or event.service is None:
        return event.subject
    return ServiceRef(event.account, event.service).subject


def joined(mentions: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Return whom a message mentions that tells several events: each once, in order, no more than ``MENTIONS_MAX``."""
    return tuple(dict.fromkeys((*mentions, *more)))[:MENTIONS_MAX]
