"""Routes: the receivers of an event. Routes are tried in order, and the first match takes the event.

A route with ``continues`` lets the routes after it match the event too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from watcher.core.event import Event, Kind
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.reason import NO_ROUTE, RoutingCode, RoutingReason, routed
from watcher.core.training.model import ServiceRef

FLAP_LIMIT: Final = 10
"""Events of one training in an hour; above this it is flapping. A training has about five events from start to end."""
FLAP_WINDOW: Final = timedelta(hours=1)
DIGEST_PATIENCE: Final = timedelta(minutes=10)
CATCH_UP_PATIENCE: Final = timedelta(minutes=2)
"""The longest wait for a catch-up; it goes out earlier when everything was polled again."""
MENTIONS_MAX: Final = 10
"""People and teams that one message mentions, within Slack's limits."""
URGENT_IN_DIGESTS: Final = frozenset({Kind.FAILED, Kind.RECEIVER_RECOVERED})
"""The urgent kinds that wait in a digest: a training that failed so often within the hour, and good news."""
DEFAULT_MATCH: Final = Matcher()
"""Matches every event of the default kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule that sends matching events to receivers."""

    number: int
    """The position in the configuration, from 1; an implied route has one too."""
    match: Matcher = DEFAULT_MATCH
    to: tuple[str, ...]
    """Names of receivers; empty to drop the events on purpose."""
    continues: bool = False
    """Whether the routes after this one may match the event too."""
    mentions: tuple[str, ...] = ()
    """Slack's markup for people and teams."""
    group_for: timedelta | None = None
    """How long an event that is not urgent waits for more events of this route."""

    @property
    def name(self) -> str:
        """The route's name in reasons, e.g. ``route 2``."""
        return f"route {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The group that an event joins, one message for several events."""

    key: str
    patience: timedelta
    """How long the group waits for more events, unless it is released earlier."""
    largest: int = 40
    """Events in one group; a further event opens a new one. Keeps messages readable and within Slack's limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One receiver of an event, with its mentions and group."""

    receiver: str
    mentions: tuple[str, ...] = ()
    group: Group | None = None
    in_doubt: bool = False
    """Whether an earlier attempt without an answer may have delivered the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDecision:
    """The receivers of an event, with the reason."""

    to: tuple[Recipient, ...]
    reason: RoutingReason

    @property
    def receivers(self) -> tuple[str, ...]:
        """The names of the receivers."""
        return tuple(recipient.receiver for recipient in self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """All routes, with the settings that apply to each of them."""

    routes: tuple[Route, ...]
    flap_limit: int = FLAP_LIMIT
    fallbacks: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The fallback of each receiver that has one."""


def route_event(
    event: Event, routes: Iterable[Route], recent: int = 1, flap_limit: int = FLAP_LIMIT
) -> RoutingDecision:
    """Return the receivers of an event, each once, with the settings of the first route that names it.

    Args:
        event: The event to route.
        routes: All routes, in the order of the configuration.
        recent: How many events the subject had in the last hour, with this one.
        flap_limit: How many of them get a message of their own.
    """
    matching = tuple(matching_routes(event, routes))
    by_receiver: dict[str, Route] = {}
    for route in matching:
        for receiver in route.to:
            by_receiver.setdefault(receiver, route)
    to = tuple(
        Recipient(receiver=receiver, mentions=route.mentions, group=group_of(event, route, recent, flap_limit))
        for receiver, route in by_receiver.items()
    )
    return RoutingDecision(to=to, reason=_reason(matching, dropped=not to))


def matching_routes(event: Event, routes: Iterable[Route]) -> Iterator[Route]:
    """Yield the routes that take an event, in order, up to the first that does not continue."""
    for route in routes:
        if route.match.mismatch(event) is None:
            yield route
            if not route.continues:
                return


def _reason(matching: tuple[Route, ...], *, dropped: bool) -> RoutingReason:
    if not matching:
        return NO_ROUTE
    taken = routed(*(route.number for route in matching))
    return replace(taken, code=RoutingCode.DROPPED) if dropped else taken


def group_of(event: Event, route: Route, recent: int, flap_limit: int) -> Group | None:
    """Return the group that an event joins; ``None`` where it gets a message of its own.

    Late changes of one catch-up form a group. So do events of a route with ``group_for``. Urgent events join neither.
    A flapping subject goes into digests. An incident never does, nor does a receiver's failure: nobody may learn ten
    minutes late that alerts do not arrive.
    """
    if event.incident is not None or (event.urgent and event.kind not in URGENT_IN_DIGESTS):
        return None
    if recent > flap_limit:
        return Group(key=f"digest {_digest_subject(event)}", patience=DIGEST_PATIENCE)
    if event.urgent:
        return None
    if event.group is not None:
        return Group(key=event.group, patience=CATCH_UP_PATIENCE)
    return None if route.group_for is None else Group(key=route.name, patience=route.group_for)


def _digest_subject(event: Event) -> str:
    """Return the subject of an event's digest.

    Trainings of one service share a digest: they usually flap for one cause, such as a stale replica.
    """
    if event.account is None or event.service is None:
        return event.subject
    return ServiceRef(event.account, event.service).subject


def merge_mentions(mentions: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Return the mentions of a group's message: each once, in order, at most ``MENTIONS_MAX``."""
    return tuple(dict.fromkeys((*mentions, *more)))[:MENTIONS_MAX]
