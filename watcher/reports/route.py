"""The routes of an event: which one matches, why the others do not, and which receivers are notified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from watcher.config import Config
from watcher.core.duration import format_duration
from watcher.core.event import Event
from watcher.core.routing.matcher import KIND, Mismatch
from watcher.core.routing.reason import reason_text
from watcher.core.routing.routes import Recipient, Route, matching_routes, route_event
from watcher.core.routing.silence import Silence, to_json
from watcher.reports.route_warnings import MENTIONING


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRoute:
    """A route, tried on an event."""

    route: Route
    mismatch: Mismatch | None
    """The first key that does not match; ``None`` if all match or the route was not tried."""
    taken_by: Route | None
    """The route that took the event before, so that this one was not tried."""

    @property
    def takes(self) -> bool:
        """Whether it takes the event."""
        return self.mismatch is None and self.taken_by is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAnswer:
    """Whether one route matches an event, and the reason."""

    route: int
    takes: bool
    why: str
    differs: str | None
    """The key that does not match; ``None`` if all match or the route was not tried."""
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """One receiver that is notified."""

    receiver: str
    kind: str
    route: int
    """The number of the first route that names the receiver."""
    mention: tuple[str, ...]
    """Empty too if receivers of this kind show no mention."""
    group: str
    """The group that the event joins and its longest wait; empty if it is sent at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReport:
    """The route of an event."""

    reason: str
    """The reason in the words of the store."""
    routes: Sequence[RouteAnswer]
    recipients: Sequence[RecipientReport]
    """Empty if a silence covers the event."""
    silence: Silence | None = None
    """The silence that covers the event now."""

    def as_json(self) -> dict[str, object]:
        """Return the report for programs."""
        silence = None if self.silence is None else to_json(self.silence)
        return {
            "reason": self.reason,
            "routes": [asdict(answer) for answer in self.routes],
            "recipients": [asdict(recipient_report) for recipient_report in self.recipients],
            "silence": silence,
        }


def report_on(event: Event, config: Config, recent: int = 1, silence: Silence | None = None) -> RouteReport:
    """Try every route of the configuration on an event.

    Args:
        event: the event to route.
        config: the configuration with the routes.
        recent: the number of events of the same subject within the hour, this one included.
        silence: the silence that covers the event, if any.
    """
    planned = route_event(event, config.routes, recent, config.delivery.flap_limit)
    matching = tuple(matching_routes(event, config.routes))
    return RouteReport(
        reason=reason_text(planned.reason),
        routes=tuple(_answer(tried) for tried in tried_routes(event, config.routes)),
        recipients=() if silence is not None else tuple(_recipient_report(to, matching, config) for to in planned.to),
        silence=silence,
    )


def tried_routes(event: Event, routes: Sequence[Route]) -> Iterator[TriedRoute]:
    """Yield every route in order: whether it takes the event, and why not."""
    last: Route | None = None
    for route in routes:
        mismatch = route.match.mismatch(event) if last is None else None
        yield TriedRoute(route=route, mismatch=mismatch, taken_by=last)
        if last is None and mismatch is None and not route.continues:
            last = route


def _answer(tried: TriedRoute) -> RouteAnswer:
    route = tried.route
    return RouteAnswer(
        route=route.number,
        takes=tried.takes,
        why=_reason(tried),
        differs=None if tried.mismatch is None else tried.mismatch.key,
        to=route.to,
    )


def _reason(tried: TriedRoute) -> str:
    if tried.taken_by is not None:
        return f"not tried: {tried.taken_by.name} matched first"
    if tried.mismatch is not None:
        return mismatch_text(tried.mismatch)
    return "everything matches; the next routes are tried too" if tried.route.continues else "everything matches"


def mismatch_text(mismatch: Mismatch) -> str:
    """Name the key and the values that do not match."""
    if mismatch.found is None:
        return f"it has no {mismatch.key}"
    if mismatch.key == KIND and not mismatch.wanted:
        return f"kind is {mismatch.found}, not one of the default kinds"
    return f"{mismatch.key} is {mismatch.found}, not {' or '.join(mismatch.wanted)}"


def _recipient_report(recipient: Recipient, matching: Sequence[Route], config: Config) -> RecipientReport:
    name, group = recipient.receiver, recipient.group
    kind = config.receivers[name].kind
    return RecipientReport(
        receiver=name,
        kind=kind,
        route=next(route.number for route in matching if name in route.to),
        mention=recipient.mentions if kind in MENTIONING else (),
        group="" if group is None else f"{group.key}, within {format_duration(group.patience)}",
    )
