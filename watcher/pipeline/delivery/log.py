"""What the log says of an attempt that was settled."""

from __future__ import annotations

import structlog

from watcher.core.delivery.model import Claimed, State, Verdict

log = structlog.get_logger()


def log_settled(receiver: str, claimed: Claimed, decided: Verdict, *, ours: bool) -> None:
    """Say what follows from an attempt; ``ours`` is false when the lease was lost."""
    parcel = claimed.parcel
    keys = {
        "receiver": receiver,
        "delivery_id": parcel.delivery_id,
        "event_ids": [event.id for event in parcel.events],
        "attempt": parcel.attempt,
        "reason": decided.reason,
    }
    if not ours:
        log.warning("delivery.lease_lost", **keys)
    elif decided.state in {State.DEAD, State.HELD}:
        log.error("delivery.given_up", state=decided.state, **keys)
    elif decided.state is State.DELIVERED:
        log.info("delivery.delivered", **keys)
    else:
        log.warning("delivery.retry", next_at=decided.next_at, **keys)
