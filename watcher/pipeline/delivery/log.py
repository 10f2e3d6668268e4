"""What the log says of an attempt that was settled."""

from __future__ import annotations

import structlog

from watcher.core.delivery.model import LeasedDelivery, State, Verdict

log = structlog.get_logger()


def log_settled(receiver: str, leased: LeasedDelivery, decided: Verdict, *, ours: bool) -> None:
    """Say what follows from an attempt; ``ours`` is false when the lease was lost."""
    request = leased.request
    keys = {
        "receiver": receiver,
        "delivery_id": request.delivery_id,
        "event_ids": [event.id for event in request.events],
        "attempt": request.attempt,
        "reason": decided.reason,
    }
    if not ours:
        log.warning("delivery.lease_lost", **keys)
    elif decided.state in {State.DEAD, State.HELD}:
        log.error("delivery.stopped", state=decided.state, **keys)
    elif decided.state is State.DELIVERED:
        log.info("delivery.sent", **keys)
    else:
        log.warning("delivery.retry_scheduled", next_at=decided.next_at, **keys)
