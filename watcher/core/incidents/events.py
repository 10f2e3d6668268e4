"""The events of an incident: its start, a change of its kind, its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from watcher.core.event import NO_LABELS, NO_LINKS, Event, IncidentFacts, Kind, event_id, incident_id
from watcher.core.incidents.model import IncidentChange, IncidentChangeKind
from watcher.core.training.model import ServiceRef, TrainingRef


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentScope:
    """The account, service or training of an incident, with the names that people and routes use."""

    account: str
    service: ServiceRef | None = None
    training: TrainingRef | None = None
    service_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """The addresses of its pages."""
    services: int = 0
    """The number of watched services of an account; 0 where it is not known."""


def with_id(change: IncidentChange, epoch: str, seq: int) -> IncidentChange:
    """Give an incident that opens the id that all of its events share.

    ``seq`` is the number of the event about its start.
    """
    if change.kind is not IncidentChangeKind.OPENED or change.incident.id:
        return change
    return replace(change, incident=replace(change.incident, id=incident_id(epoch, change.incident.subject, seq)))


def describe(change: IncidentChange, scope: IncidentScope, epoch: str, seq: int, now: datetime) -> Event:
    """Return the event about ``change``; ``seq`` is its number among the events of its subject."""
    incident = change.incident
    closed = change.kind is IncidentChangeKind.CLOSED
    after = incident.since if closed else incident.last_good_at or incident.since
    return Event(
        id=event_id(epoch, incident.subject, seq),
        kind=Kind.RECOVERED if closed else incident.kind,
        subject=incident.subject,
        seq=seq,
        reason=change.kind.value,
        account=scope.account,
        service=None if scope.service is None else scope.service.service,
        training_type=None if scope.training is None else scope.training.type,
        version=None if scope.training is None else scope.training.version,
        service_name=scope.service_name,
        labels=scope.labels,
        links=scope.links,
        from_status=None,
        to_status=None,
        after=min(after, now),
        before=max(now if closed else incident.since, after),
        recorded_at=now,
        incident=_facts(change, now if closed else None, scope.services),
    )


def _facts(change: IncidentChange, ended_at: datetime | None, services: int) -> IncidentFacts:
    incident = change.incident
    lasted = None if ended_at is None else max((ended_at - incident.since).total_seconds(), 0.0)
    return IncidentFacts(
        id=incident.id,
        kind=incident.kind,
        cause=incident.cause.value,
        detail=incident.detail,
        evidence=incident.evidence,
        since=incident.since,
        last_good_at=incident.last_good_at,
        covers=tuple(sorted(incident.covers)),
        lasted_seconds=lasted,
        services=services,
        previous=incident.previous,
        paused_until=change.paused_until if ended_at is None else None,
    )
