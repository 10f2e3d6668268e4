"""Who is told about a receiver: never the receiver itself, and somebody whose messages pass, if there is anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from watcher.core.event import Event
from watcher.core.routing.routes import NO_ROUTE, Recipient, RoutingDecision


class NotAnnounced(StrEnum):
    """Why nobody can be told; the word stands in the plan's reason, the log, ``status`` and ``/readyz``."""

    NO_OTHER = "no-other-receiver"
    ALL_FAILING = "every-other-receiver-failing"
    NOT_DELIVERED = "announcement-not-delivered"


def about(event: Event) -> str | None:
    """Return the name of the receiver that an event is about; ``None`` for any other event."""
    return None if event.receiver is None else str(event.receiver["name"])


def redirected(
    decision: RoutingDecision, event: Event, receivers: Sequence[str], failing_receivers: frozenset[str]
) -> RoutingDecision:
    """Return where an event goes, given that nobody is told about himself.

    Where the route leaves nobody whose messages pass, the first other receiver takes it too; a route that drops on
    purpose (``to = []``) is left alone.

    Args:
        decision: what the routes say.
        event: what is to be told.
        receivers: all that are configured, in that order.
        failing_receivers: those that refuse for good.
    """
    name = about(event)
    dropped_on_purpose = not decision.to and decision.reason != NO_ROUTE
    if name is None or dropped_on_purpose:
        return decision
    named = tuple(recipient for recipient in decision.to if recipient.receiver != name)
    if any(recipient.receiver not in failing_receivers for recipient in named):
        return replace(decision, to=named)
    others = [receiver for receiver in receivers if receiver != name]
    stand_in = next((receiver for receiver in others if receiver not in failing_receivers), None)
    if stand_in is not None:
        to = (*named, Recipient(receiver=stand_in))
        return replace(decision, to=to, reason=f"{decision.reason}; {stand_in} stands in for {name}")
    why = NotAnnounced.ALL_FAILING if others else NotAnnounced.NO_OTHER
    return replace(decision, to=named, reason=f"{decision.reason}; nobody: {why}")


def nobody(decision: RoutingDecision) -> NotAnnounced | None:
    """Return why nobody can be told by this plan, read from its reason; ``None`` where somebody can."""
    return nobody_in(decision.reason)


def nobody_in(reason: str) -> NotAnnounced | None:
    """Read what ``redirected`` wrote into a reason."""
    return next((word for word in NotAnnounced if reason.endswith(f"nobody: {word}")), None)
