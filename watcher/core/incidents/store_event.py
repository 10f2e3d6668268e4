"""The events about the watcher's own store: it cannot be written, and it can be written again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from watcher.core.event import Event, IncidentFacts, Kind, event_id, incident_id
from watcher.core.incidents.model import IncidentChangeKind
from watcher.core.timestamps import to_text

STORE_SUBJECT: Final = "watcher:store"


def store_failing(cause: str, detail: str, epoch: str, seq: int, now: datetime) -> Event:
    """Return the event that the store cannot be written since ``now``.

    The event is sent before it is recorded, and is lost with the process; the next process then counts from the same
    ``seq``. The time is therefore a part of the id: no two failures share one.

    Args:
        cause: the code of the write fault, e.g. ``disk-full``.
        detail: one line for a person.
        epoch: the epoch of the store.
        seq: the number of the event.
        now: the present, UTC.
    """
    named_apart = f"{STORE_SUBJECT} {to_text(now)}"
    facts = IncidentFacts(
        id=incident_id(epoch, named_apart, seq), kind=Kind.STORE_FAILING, cause=cause, detail=detail, since=now
    )
    return _event(Kind.STORE_FAILING, facts, event_id(epoch, named_apart, seq), seq, now)


def store_recovered(failing: Event, epoch: str, now: datetime) -> Event:
    """Return the event that the store can be written again.

    Args:
        failing: the event that ``store_failing`` returned.
        epoch: the epoch of the store.
        now: the present, UTC.

    Raises:
        ValueError: the event is not about an incident.
    """
    if failing.incident is None:
        raise ValueError(f"event {failing.id} is not about an incident")
    seq = failing.seq + 1
    facts = replace(failing.incident, lasted_seconds=max((now - failing.incident.since).total_seconds(), 0.0))
    return _event(Kind.STORE_RECOVERED, facts, event_id(epoch, STORE_SUBJECT, seq), seq, now)


def _event(kind: Kind, facts: IncidentFacts, identity: str, seq: int, now: datetime) -> Event:
    reason = IncidentChangeKind.OPENED if kind is Kind.STORE_FAILING else IncidentChangeKind.CLOSED
    return Event(
        id=identity,
        kind=kind,
        subject=STORE_SUBJECT,
        seq=seq,
        reason=reason.value,
        account="",
        service=None,
        training_type=None,
        version=None,
        from_status=None,
        to_status=None,
        after=min(facts.since, now),
        before=now,
        recorded_at=now,
        incident=facts,
    )
