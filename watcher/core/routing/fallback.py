"""The receiver that is notified about another receiver: a working one where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watcher.core.event import Event
from watcher.core.routing.reason import NotAnnounced, RoutingCode
from watcher.core.routing.routes import Recipient, RoutingDecision


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
