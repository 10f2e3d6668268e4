"""Deliveries that end without another attempt: expired ones, and those of a receiver that was removed."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.delivery.model import Verdict
from watcher.core.delivery.reason import NO_REASON, RECEIVER_REMOVED, Context, Reason, ReasonCode, in_context
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDelivery:
    """A delivery as it was read."""

    id: str
    state: State
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEnd:
    """The end of a delivery, written only if its state is still the one that was read."""

    id: str
    state: State
    """The state that was read; nothing is written when an attempt has begun since."""
    verdict: Verdict


def expired(delivery: WaitingDelivery, receiver_state: ReceiverState) -> DeliveryEnd:
    """Return the end of a delivery that waited too long; the reason names the fault that kept it waiting."""
    failing = receiver_state.failing_since is not None
    known = receiver_state.reason if failing else delivery.reason
    fault = Reason(code=ReasonCode.NEVER_ATTEMPTED) if known == NO_REASON else known
    verdict = Verdict(state=State.DEAD, reason=in_context(Context.EXPIRED, fault))
    return DeliveryEnd(id=delivery.id, state=delivery.state, verdict=verdict)


def orphan_expired(delivery: WaitingDelivery) -> DeliveryEnd:
    """Return the end of a delivery whose receiver is not configured any more."""
    verdict = Verdict(state=State.DEAD, reason=RECEIVER_REMOVED)
    return DeliveryEnd(id=delivery.id, state=delivery.state, verdict=verdict)
