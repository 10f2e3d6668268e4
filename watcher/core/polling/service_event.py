"""The events about a service that a pattern watches: it appeared, is gone, or is back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watcher.core.event import Event, Kind, event_id
from watcher.core.polling.plan import WatchAttributes
from watcher.core.training.decision import DecisionReason
from watcher.core.training.model import ServiceRef

_REASONS = {
    Kind.APPEARED: DecisionReason.NEW_SERVICE,
    Kind.GONE: DecisionReason.NOT_FOUND,
    Kind.BACK: DecisionReason.FOUND_AGAIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFinding:
    """A service that the account's list shows for the first time, or not any more."""

    kind: Kind
    service: ServiceRef
    attributes: WatchAttributes
    after: datetime
    """Start of the last request whose answer showed the opposite."""
    before: datetime
    """End of the answer that showed it."""
    late: bool = False
    """Whether it may have happened while the watcher could not poll."""


def service_event(finding: ServiceFinding, epoch: str, seq: int, now: datetime, group: str | None = None) -> Event:
    """Return the event about a service.

    Args:
        finding: the service, and what happened to it.
        epoch: the store's epoch.
        seq: the number of the event among those about the presence of the service.
        now: the present, UTC.
        group: the group that announces it with others.
    """
    service, attributes = finding.service, finding.attributes
    return Event(
        id=event_id(epoch, service.presence_subject, seq),
        kind=finding.kind,
        subject=service.presence_subject,
        seq=seq,
        reason=_REASONS[finding.kind].value,
        account=service.account,
        service=service.service,
        training_type=None,
        version=None,
        service_name=attributes.name,
        labels=attributes.labels,
        links=attributes.links_of(service),
        from_status=None,
        to_status=None,
        late=finding.late,
        new=finding.kind is Kind.APPEARED,
        # A wall clock that was set back between the two must not swap the bounds.
        after=min(finding.after, finding.before),
        before=finding.before,
        recorded_at=now,
        group=group,
    )
