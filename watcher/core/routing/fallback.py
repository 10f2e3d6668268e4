"""Who is told about a receiver: never the receiver itself, and somebody whose messages pass, if there is anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from watcher.core.event import Event
from watcher.core.routing.routes import NO_ROUTE, Addressee, Plan


class Untold(StrEnum):
    """Why nobody can be told; the word stands in the plan's reason, the log, ``status`` and ``/readyz``."""

    NO_OTHER = "no-other-receiver"
    ALL_BROKEN = "every-other-receiver-broken"
    NOT_DELIVERED = "announcement-not-delivered"


def about(event: Event) -> str | None:
    """Return the name of the receiver that an event is about; ``None`` for any other event."""
    return None if event.receiver is None else str(event.receiver["name"])


def redirected(plan: Plan, event: Event, receivers: Sequence[str], broken: frozenset[str]) -> Plan:
    """Return where an event goes, given that nobody is told about himself.

    Where the route leaves nobody whose messages pass, the first other receiver takes it too; a route that drops on
    purpose (``to = []``) is left alone.

    Args:
        plan: what the routes say.
        event: what is to be told.
        receivers: all that are configured, in that order.
        broken: those that refuse for good.
    """
    name = about(event)
    dropped_on_purpose = not plan.to and plan.reason != NO_ROUTE
    if name is None or dropped_on_purpose:
        return plan
    named = tuple(addressee for addressee in plan.to if addressee.receiver != name)
    if any(addressee.receiver not in broken for addressee in named):
        return replace(plan, to=named)
    others = [receiver for receiver in receivers if receiver != name]
    stand_in = next((receiver for receiver in others if receiver not in broken), None)
    if stand_in is not None:
        to = (*named, Addressee(receiver=stand_in))
        return replace(plan, to=to, reason=f"{plan.reason}; {stand_in} stands in for {name}")
    why = Untold.ALL_BROKEN if others else Untold.NO_OTHER
    return replace(plan, to=named, reason=f"{plan.reason}; nobody: {why}")


def nobody(plan: Plan) -> Untold | None:
    """Return why nobody can be told by this plan, read from its reason; ``None`` where somebody can."""
    return nobody_in(plan.reason)


def nobody_in(reason: str) -> Untold | None:
    """Read what ``redirected`` wrote into a reason."""
    return next((word for word in Untold if reason.endswith(f"nobody: {word}")), None)
