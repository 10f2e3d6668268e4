"""Which route takes an event, why the others do not, and who is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from watcher.config import Config, format_duration
from watcher.core.event import Event
from watcher.core.routing.matcher import KIND, Mismatch
from watcher.core.routing.routes import Recipient, Route, matching_routes, route_event
from watcher.core.routing.silence import Silence, to_json
from watcher.reports.route_warnings import MENTIONING


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAnswer:
    """What one route says to an event."""

    route: int
    takes: bool
    why: str
    differs: str | None
    """The key by which it does not take the event, where that is why."""
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """One receiver that is told, and how."""

    receiver: str
    kind: str
    route: int
    """The first that names it."""
    mention: tuple[str, ...]
    """Empty too where its kind shows none."""
    group: str
    """What the event waits for, and how long at most; empty where it goes at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReport:
    """Where an event goes."""

    reason: str
    """As the store keeps it."""
    routes: Sequence[RouteAnswer]
    recipients: Sequence[RecipientReport]
    """Empty while a silence takes it."""
    silence: Silence | None = None
    """What takes it now."""

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        silence = None if self.silence is None else to_json(self.silence)
        return {
            "reason": self.reason,
            "routes": [asdict(answer) for answer in self.routes],
            "recipients": [asdict(recipient_report) for recipient_report in self.recipients],
            "silence": silence,
        }


def report_on(event: Event, config: Config, recent: int = 1, silence: Silence | None = None) -> RouteReport:
    """Ask every route about an event.

    Args:
        event: what is to be told.
        config: it has the routes.
        recent: how many events its subject had within the hour, this one among them.
        silence: what takes it, if anything.
    """
    planned = route_event(event, config.routes, recent, config.delivery.flap_limit)
    takers = tuple(matching_routes(event, config.routes))
    return RouteReport(
        reason=planned.reason,
        routes=tuple(_answers(event, config.routes, takers)),
        recipients=() if silence is not None else tuple(_notifying(to, takers, config) for to in planned.to),
        silence=silence,
    )


def _answers(event: Event, routes: Sequence[Route], takers: Sequence[Route]) -> Iterator[RouteAnswer]:
    last = takers[-1] if takers and not takers[-1].continues else None
    for route in routes:
        asked = last is None or route.number <= last.number
        difference = route.match.mismatch(event) if asked else None
        yield RouteAnswer(
            route=route.number,
            takes=route in takers,
            why=_why(route, difference) if last is None or asked else f"not asked: {last.name} took it",
            differs=None if difference is None else difference.key,
            to=route.to,
        )


def _why(route: Route, difference: Mismatch | None) -> str:
    if difference is not None:
        return difference_text(difference)
    return "everything fits; the next ones are asked too" if route.continues else "everything fits"


def difference_text(difference: Mismatch) -> str:
    """Say by what an event is not taken."""
    if difference.found is None:
        return f"it has no {difference.key}"
    if difference.key == KIND and not difference.wanted:
        return f"kind is {difference.found}, none of the default kinds"
    return f"{difference.key} is {difference.found}, not {' or '.join(difference.wanted)}"


def _notifying(recipient: Recipient, takers: Sequence[Route], config: Config) -> RecipientReport:
    name, group = recipient.receiver, recipient.group
    kind = config.receivers[name].kind
    return RecipientReport(
        receiver=name,
        kind=kind,
        route=next(route.number for route in takers if name in route.to),
        mention=recipient.mentions if kind in MENTIONING else (),
        group="" if group is None else f"{group.key}, within {format_duration(group.patience)}",
    )
