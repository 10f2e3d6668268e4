"""The event about a retraining that is overdue."""

from __future__ import annotations

from datetime import datetime

from watcher.core.event import Event, Kind, event_id
from watcher.core.polling.plan import WatchAttributes
from watcher.core.training.absence import Missing, OverdueFacts
from watcher.core.training.decision import DecisionReason
from watcher.core.training.retraining import Retraining

_REASONS = {Missing.START: DecisionReason.NO_START, Missing.COMPLETED: DecisionReason.NO_COMPLETION}


def overdue_event(  # noqa: PLR0913 - the facts of one event
    state: Retraining,
    facts: OverdueFacts,
    attributes: WatchAttributes,
    epoch: str,
    *,
    asked_at: datetime,
    now: datetime,
) -> Event:
    """Return the event about an absence; ``state`` already counts it.

    Args:
        state: the retraining.
        facts: the absence.
        attributes: the name, labels and links of the service.
        epoch: the store's epoch.
        asked_at: the start of the request whose answer still showed none, UTC.
        now: the present, UTC.
    """
    ref = state.ref
    return Event(
        id=event_id(epoch, ref.subject, state.seq),
        kind=Kind.OVERDUE,
        subject=ref.subject,
        seq=state.seq,
        reason=_REASONS[facts.missing].value,
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=None,
        service_name=attributes.name,
        labels=attributes.labels,
        links=attributes.links_of(ref.service_ref),
        from_status=None,
        to_status=None,
        # A wall clock that was set back between the two must not swap the bounds.
        after=min(asked_at, now),
        before=now,
        recorded_at=now,
        overdue=facts,
    )
