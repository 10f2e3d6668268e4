"""The receivers that step in: for an event about a receiver, and for what waits for a failing one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from watcher.core.event import Event
from watcher.core.routing.reason import NotAnnounced, RoutingCode, RoutingReason
from watcher.core.routing.routes import Group, Recipient, RoutingDecision

FALLBACK_ALONE_MAX: Final = 3
"""More urgent events than this go to a fallback together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackEvent:
    """An urgent event that waits for a failing receiver and goes to its fallback."""

    event: Event
    """Marked with the receiver that it waits for."""
    fallback: str
    mentions: tuple[str, ...] = ()


def fallback_decisions(items: Sequence[FallbackEvent]) -> list[tuple[Event, RoutingDecision]]:
    """Return the delivery of each event to the fallback: a few in messages of their own, more in groups."""
    counts = Counter(item.fallback for item in items)
    return [(item.event, _to_fallback(item, together=counts[item.fallback] > FALLBACK_ALONE_MAX)) for item in items]


def _to_fallback(item: FallbackEvent, *, together: bool) -> RoutingDecision:
    group = Group(key=f"fallback {item.event.fallback_for}", patience=timedelta()) if together else None
    recipient = Recipient(receiver=item.fallback, mentions=item.mentions, group=group)
    reason = RoutingReason(code=RoutingCode.ROUTED, stand_in=item.fallback, stands_in_for=item.event.fallback_for)
    return RoutingDecision(to=(recipient,), reason=reason)


def redirected(
    decision: RoutingDecision, event: Event, receivers: Sequence[str], failing_receivers: frozenset[str]
) -> RoutingDecision:
    """Return the decision about an event without the receiver that the event is about.

    Where the routes name no other working receiver, the first working one of the configuration is added. A route
    that drops the event on purpose (``to = []``) keeps its decision.

    Args:
        decision: the decision of the routes.
        event: the event to announce.
        receivers: the names of all configured receivers, in that order.
        failing_receivers: the names of the receivers that fail permanently.
    """
    if event.receiver is None or decision.reason.code is RoutingCode.DROPPED:
        return decision
    name = event.receiver.name
    named = tuple(recipient for recipient in decision.to if recipient.receiver != name)
    if any(recipient.receiver not in failing_receivers for recipient in named):
        return replace(decision, to=named)
    others = [receiver for receiver in receivers if receiver != name]
    stand_in = next((receiver for receiver in others if receiver not in failing_receivers), None)
    if stand_in is not None:
        reason = replace(decision.reason, stand_in=stand_in, stands_in_for=name)
        return RoutingDecision(to=(*named, Recipient(receiver=stand_in)), reason=reason)
    why = NotAnnounced.ALL_FAILING if others else NotAnnounced.NO_OTHER
    return RoutingDecision(to=named, reason=replace(decision.reason, not_announced=why))
