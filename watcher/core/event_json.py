"""Events as plain JSON, as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watcher.core.delivery.facts_json import read_receiver, receiver_json
from watcher.core.durations.current_run import RunStart
from watcher.core.event import Event, IncidentFacts, Kind, PreviousCause
from watcher.core.incidents.evidence import evidence_json, read_evidence
from watcher.core.json_object import plain
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.absence import overdue_json, read_overdue
from watcher.core.training.catch_up import Outage
from watcher.core.training.comparison import (
    comparison_json,
    end_json,
    read_comparison,
    read_end,
    read_stuck,
    stuck_json,
)
from watcher.core.updates.model import read_update, update_json
from watcher.core.usability.facts import read_unusable, unusable_json


def to_json(event: Event, *, with_record: bool = True) -> dict[str, object]:
    """Return the event as plain JSON; ``from_json`` reads it back. The record is the last field."""
    return {
        "id": event.id,
        "kind": event.kind.value,
        "subject": event.subject,
        "seq": event.seq,
        "reason": event.reason,
        "account": event.account,
        "service": event.service,
        "training_type": event.training_type,
        "version": event.version,
        "service_name": event.service_name,
        "labels": dict(event.labels),
        "links": dict(event.links),
        "from": event.from_status,
        "to": event.to_status,
        "skipped": list(event.skipped),
        "late": event.late,
        **({"service_was_gone": True} if event.service_was_gone else {}),
        "restored": event.restored,
        "restored_from": None if event.restored_from is None else to_text(event.restored_from),
        "new": event.new,
        "confirmed": event.confirmed,
        "after": to_text(event.after),
        "before": to_text(event.before),
        "recorded_at": to_text(event.recorded_at),
        "incident": None if event.incident is None else incident_json(event.incident),
        "receiver": None if event.receiver is None else receiver_json(event.receiver),
        "run": None if event.run is None else run_json(event.run),
        **_learned_json(event),
        "group": event.group,
        **({} if event.outage is None else {"outage": outage_json(event.outage)}),
        **({"training": plain(event.record)} if with_record else {}),
    }


def _learned_json(event: Event) -> dict[str, object]:
    facts: dict[str, object] = {}
    if event.comparison is not None:
        facts["comparison"] = comparison_json(event.comparison)
    if event.stuck is not None:
        facts["stuck"] = stuck_json(event.stuck)
    if event.expected_end is not None:
        facts["expected_end"] = end_json(event.expected_end)
    if event.overdue is not None:
        facts["overdue"] = overdue_json(event.overdue)
    if event.update is not None:
        facts["update"] = update_json(event.update)
    if event.unusable is not None:
        facts["unusable"] = unusable_json(event.unusable)
    return facts


def run_json(run: RunStart) -> dict[str, object]:
    """Return the start of a run as plain JSON."""
    return {"started_after": to_text(run.started_after), "started_before": to_text(run.started_before)}


def outage_json(outage: Outage) -> dict[str, object]:
    """Return an outage as plain JSON."""
    return {"subject": outage.subject, "since": to_text(outage.since)}


def read_outage(data: Mapping[str, Any] | None) -> Outage | None:
    """Read an outage that ``outage_json`` wrote; older versions stored none."""
    return None if data is None else Outage(data["subject"], from_text(data["since"]))


def incident_json(facts: IncidentFacts) -> dict[str, object]:
    """Return the facts of an incident as plain JSON."""
    return {
        "id": facts.id,
        "kind": facts.kind.value,
        "cause": facts.cause,
        "detail": facts.detail,
        "evidence": evidence_json(facts.evidence),
        "since": to_text(facts.since),
        "last_good_at": None if facts.last_good_at is None else to_text(facts.last_good_at),
        "covers": list(facts.covers),
        "lasted_seconds": facts.lasted_seconds,
        "services": facts.services,
        "previous": None if facts.previous is None else previous_json(facts.previous),
        "paused_until": None if facts.paused_until is None else to_text(facts.paused_until),
    }


def previous_json(previous: PreviousCause) -> dict[str, object]:
    """Return the former cause of an incident as plain JSON."""
    return {
        "cause": previous.cause,
        "detail": previous.detail,
        "evidence": evidence_json(previous.evidence),
        "until": to_text(previous.until),
    }


def from_json(data: Mapping[str, Any]) -> Event:
    """Read an event that ``to_json`` of this or an older version wrote.

    Older versions stored the advice and the remedy as English text. The advice is ignored, since it follows from the
    cause; the remedy is derived again.

    Raises:
        KeyError: a field is missing. The store wrote the data itself, so that is a fault of the program.
    """
    kind, incident, receiver = Kind(data["kind"]), data["incident"], data["receiver"]
    return Event(
        id=data["id"],
        kind=kind,
        subject=data["subject"],
        seq=data["seq"],
        reason=data["reason"],
        account=data["account"],
        service=data["service"],
        training_type=data["training_type"],
        version=data["version"],
        service_name=data["service_name"],
        labels=data["labels"],
        links=data.get("links", {}),
        from_status=data["from"],
        to_status=data["to"],
        skipped=tuple(data["skipped"]),
        late=data["late"],
        service_was_gone=data.get("service_was_gone", False),
        restored=data["restored"],
        restored_from=None if data.get("restored_from") is None else from_text(data["restored_from"]),
        new=data["new"],
        confirmed=data["confirmed"],
        after=from_text(data["after"]),
        before=from_text(data["before"]),
        recorded_at=from_text(data["recorded_at"]),
        incident=None if incident is None else _read_incident(incident),
        receiver=None if receiver is None else read_receiver(receiver, kind),
        run=None if data.get("run") is None else read_run(data["run"]),
        comparison=read_comparison(data.get("comparison")),
        stuck=read_stuck(data.get("stuck")),
        expected_end=read_end(data.get("expected_end")),
        overdue=read_overdue(data.get("overdue")),
        update=read_update(data.get("update")),
        unusable=read_unusable(data.get("unusable")),
        group=data["group"],
        outage=read_outage(data.get("outage")),
        record=data["training"],
    )


def read_run(data: Mapping[str, Any]) -> RunStart:
    """Read the start of a run that ``run_json`` wrote."""
    return RunStart(started_after=from_text(data["started_after"]), started_before=from_text(data["started_before"]))


def _read_incident(data: Mapping[str, Any]) -> IncidentFacts:
    last_good_at = data["last_good_at"]
    return IncidentFacts(
        id=data["id"],
        kind=Kind(data["kind"]),
        cause=data["cause"],
        detail=data["detail"],
        evidence=read_evidence(data),
        since=from_text(data["since"]),
        last_good_at=None if last_good_at is None else from_text(last_good_at),
        covers=tuple(data["covers"]),
        lasted_seconds=data["lasted_seconds"],
        services=data.get("services", 0),
        previous=read_previous(data.get("previous")),
        paused_until=None if data.get("paused_until") is None else from_text(data["paused_until"]),
    )


def read_previous(data: Mapping[str, Any] | None) -> PreviousCause | None:
    """Read the former cause of an incident; older versions stored none."""
    if data is None:
        return None
    return PreviousCause(
        cause=data["cause"],
        detail=data["detail"],
        evidence=read_evidence(data),
        until=from_text(data["until"]),
    )
