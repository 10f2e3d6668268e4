"""Log the outcome of attempts and the changes of receivers."""

from __future__ import annotations

import structlog

from watcher.core.delivery.model import LeasedDelivery, Verdict
from watcher.core.delivery.receiver_change import ReceiverChange
from watcher.core.delivery.state import State
from watcher.core.messages.reasons import reason_text
from watcher.core.stored_events import ids_of

log = structlog.get_logger()


def log_settled(receiver: str, leased: LeasedDelivery, decided: Verdict, *, saved: bool) -> None:
    """Log the verdict on an attempt; ``saved`` is false when the lease was lost."""
    request = leased.request
    keys = {
        "receiver": receiver,
        "delivery_id": request.delivery_id,
        "event_ids": list(ids_of(request.events)),
        "attempt": request.attempt,
        "reason": reason_text(decided.reason),
    }
    if not saved:
        log.warning("delivery.lease_lost", **keys)
    elif decided.state in {State.DEAD, State.HELD}:
        log.error("delivery.stopped", state=decided.state, **keys)
    elif decided.state is State.DELIVERED:
        log.info("delivery.sent", **keys)
    else:
        log.warning("delivery.retry_scheduled", next_at=decided.next_at, **keys)


def log_receiver_change(change: ReceiverChange, *, failing: bool) -> None:
    """Log that a receiver began to fail permanently, or has recovered."""
    after = change.after
    if failing:
        log.error("receiver.failing", receiver=after.name, reason=reason_text(after.reason), answer=after.answer)
    else:
        log.info("receiver.recovered", receiver=after.name)
