"""What is told about an incident: its beginning, a change of its kind, its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from watcher.core.event import NO_LABELS, Event, Kind, event_id, incident_id
from watcher.core.incidents.advice import advice
from watcher.core.incidents.tracker import Incident, IncidentChange, IncidentChangeKind
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef, TrainingRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an incident is about, as people and routes know it."""

    account: str
    service: ServiceRef | None = None
    training: TrainingRef | None = None
    service_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)


def named(change: IncidentChange, epoch: str, seq: int) -> IncidentChange:
    """Give an incident that begins the id that its beginning and its end share.

    ``seq`` is the number of the event that tells its beginning.
    """
    if change.kind is not IncidentChangeKind.OPENED or change.incident.id:
        return change
    return replace(change, incident=replace(change.incident, id=incident_id(epoch, change.incident.subject, seq)))


def describe(change: IncidentChange, scope: Scope, epoch: str, seq: int, now: datetime) -> Event:
    """Return the event that tells ``change``; ``seq`` is its number among the events of its subject."""
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
        from_status=None,
        to_status=None,
        after=min(after, now),
        before=max(now if closed else incident.since, after),
        recorded_at=now,
        incident=_facts(incident, now if closed else None),
    )


def _facts(incident: Incident, ended_at: datetime | None) -> dict[str, object]:
    lasted = None if ended_at is None else max((ended_at - incident.since).total_seconds(), 0.0)
    return {
        "id": incident.id,
        "kind": incident.kind.value,
        "cause": incident.cause.value,
        "detail": incident.detail,
        "advice": advice(incident.cause),
        "since": to_text(incident.since),
        "last_good_at": None if incident.last_good_at is None else to_text(incident.last_good_at),
        "covers": sorted(incident.covers),
        "lasted_seconds": lasted,
    }
