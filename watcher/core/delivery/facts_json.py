"""The facts about a receiver as plain JSON, as the store keeps them with their event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watcher.core.delivery.facts import (
    DeadLetterFacts,
    NamedEvent,
    ReceiverFacts,
    Remedy,
    RemedyCode,
    WaitingEventFacts,
    failing_remedy,
    retry_remedy,
)
from watcher.core.delivery.reason import reason_from_json, reason_json
from watcher.core.event import Kind
from watcher.core.incidents.evidence import evidence_json, read_evidence
from watcher.core.timestamps import from_text, to_text


def receiver_json(facts: ReceiverFacts) -> dict[str, Any]:
    """Return the facts of a receiver as plain JSON."""
    return {
        "name": facts.name,
        "since": to_text(facts.since),
        "reason": reason_json(facts.reason),
        "answer": facts.answer,
        "waiting": facts.waiting,
        "lasted_seconds": facts.lasted_seconds,
        "count": facts.count,
        "deliveries": [_dead_letter_json(item) for item in facts.deliveries],
        "urgent": [_waiting_json(item) for item in facts.urgent],
        "ended_at": None if facts.ended_at is None else to_text(facts.ended_at),
        "expires_at": None if facts.expires_at is None else to_text(facts.expires_at),
        "remedy": None if facts.remedy is None else _remedy_json(facts.remedy),
    }


def _dead_letter_json(item: DeadLetterFacts) -> dict[str, object]:
    named = None if item.event is None else _named_json(item.event)
    return {
        "id": item.id,
        "reason": reason_json(item.reason),
        "event": named,
        "more": item.more,
        **_old_about(item.old_about),
    }


def _waiting_json(item: WaitingEventFacts) -> dict[str, object]:
    named = None if item.event is None else _named_json(item.event)
    return {"id": item.id, "event": named, **_old_about(item.old_about)}


def _old_about(text: str) -> dict[str, object]:
    """Keep the title that an older version stored, under its name there."""
    return {"about": text} if text else {}


def _named_json(named: NamedEvent) -> dict[str, object]:
    return {
        "id": named.id,
        "kind": named.kind,
        "reason": named.reason,
        "subject": named.subject,
        "account": named.account,
        "service": named.service,
        "service_name": named.service_name,
        "training_type": named.training_type,
        "version": named.version,
        "from": named.from_status,
        "to": named.to_status,
        "incident_kind": named.incident_kind,
        "cause": named.cause,
        "evidence": evidence_json(named.evidence),
        "receiver": named.receiver,
        "count": named.count,
        "at": to_text(named.at),
    }


def _remedy_json(remedy: Remedy) -> dict[str, object]:
    return {"code": remedy.code.value, "delivery_id": remedy.delivery_id}


def read_receiver(data: Mapping[str, Any], kind: Kind) -> ReceiverFacts:
    """Read the facts of an event of this kind that ``receiver_json`` of this or an older version wrote."""
    return ReceiverFacts(
        name=data["name"],
        since=from_text(data["since"]),
        reason=reason_from_json(data["reason"]),
        answer=data["answer"],
        waiting=data["waiting"],
        lasted_seconds=data["lasted_seconds"],
        count=data["count"],
        deliveries=tuple(_read_dead_letter(item) for item in data["deliveries"]),
        urgent=tuple(_read_waiting(item) for item in data.get("urgent", ())),
        ended_at=None if data.get("ended_at") is None else from_text(data["ended_at"]),
        expires_at=None if data.get("expires_at") is None else from_text(data["expires_at"]),
        remedy=_read_remedy(data, kind),
    )


def _read_dead_letter(data: Mapping[str, Any]) -> DeadLetterFacts:
    return DeadLetterFacts(
        id=data["id"],
        reason=reason_from_json(data["reason"]),
        event=_read_named(data.get("event")),
        more=data.get("more", 0),
        old_about=data.get("about", ""),
    )


def _read_waiting(data: Mapping[str, Any]) -> WaitingEventFacts:
    return WaitingEventFacts(id=data["id"], event=_read_named(data.get("event")), old_about=data.get("about", ""))


def _read_named(data: Mapping[str, Any] | None) -> NamedEvent | None:
    if data is None:
        return None
    return NamedEvent(
        id=data["id"],
        kind=data["kind"],
        reason=data["reason"],
        subject=data["subject"],
        account=data["account"],
        service=data["service"],
        service_name=data["service_name"],
        training_type=data["training_type"],
        version=data["version"],
        from_status=data["from"],
        to_status=data["to"],
        incident_kind=data["incident_kind"],
        cause=data["cause"],
        evidence=read_evidence(data),
        receiver=data["receiver"],
        count=data["count"],
        at=from_text(data["at"]),
    )


def _read_remedy(data: Mapping[str, Any], kind: Kind) -> Remedy | None:
    stored = data["remedy"]
    if stored is None:
        return None
    if isinstance(stored, str):
        return _old_remedy(data, kind)
    return Remedy(code=RemedyCode(stored["code"]), delivery_id=stored["delivery_id"])


def _old_remedy(data: Mapping[str, Any], kind: Kind) -> Remedy | None:
    """Return the remedy of an event that an older version stored with a text."""
    match kind:
        case Kind.UNDELIVERED:
            return retry_remedy([item["id"] for item in data["deliveries"]], data["count"])
        case Kind.RECEIVER_FAILING:
            return failing_remedy(reason_from_json(data["reason"]))
        case _:
            return None
