"""Convert the facts of the core to rows of the tables, and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import RowMapping

from watcher.core.batch import IncidentRow
from watcher.core.event import Event
from watcher.core.event_json import (
    from_json,
    outage_json,
    previous_json,
    read_outage,
    read_previous,
    to_json,
)
from watcher.core.incidents.evidence import evidence_json, read_evidence
from watcher.core.incidents.model import Incident
from watcher.core.json_object import JsonObject, plain
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import Cause, PollState
from watcher.core.routing.matcher import matcher_of, patterns_of
from watcher.core.routing.silence import Silence
from watcher.core.subject import account_of
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.catch_up import CatchUp
from watcher.core.training.model import Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.core.usability.facts import ResultState
from watcher.store.runs.rows import read_current_run, write_current_run
from watcher.store.runs.updates import read_updates, write_updates

Row = dict[str, Any]
KEPT_RECORDS: Final = 1024
"""Records whose text is kept: those of the changes of one list."""
KEPT_BYTES: Final = 2_000
"""A longer record is not kept; those of AiTEMS have about 300 bytes."""


def read_time(value: str | None) -> datetime | None:
    """Read a nullable time column."""
    return None if value is None else from_text(value)


def write_time(value: datetime | None) -> str | None:
    """Write a nullable time column."""
    return None if value is None else to_text(value)


@lru_cache(maxsize=1024)
def _shared_time(value: str) -> datetime:
    """Read a time; the trainings of one list have the same times."""
    return from_text(value)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(value: object) -> str:
    """Write JSON as the store has it: compact, with any character as it is."""
    return _ENCODER.encode(value)


@lru_cache(KEPT_RECORDS)
def _dumped(text: bytes, hidden: frozenset[str]) -> str:
    return dump(JsonObject(text, hidden).all())


def record_text(record: Mapping[str, object]) -> str:
    """Write the record of a training; a change writes it twice, with the snapshot and with the event."""
    if isinstance(record, JsonObject) and len(record.key[0]) <= KEPT_BYTES:
        return _dumped(*record.key)
    return dump(plain(record))


def snapshot_row(snapshot: Snapshot) -> Row:
    """Return the columns of a snapshot, with the revision after the write."""
    return {
        "subject": snapshot.ref.subject,
        "account": snapshot.ref.account,
        "service": snapshot.ref.service,
        "status": snapshot.status,
        "seen_after": to_text(snapshot.seen_after),
        "changed_after": write_time(snapshot.changed_after),
        "changed_before": write_time(snapshot.changed_before),
        "first_seen_at": to_text(snapshot.first_seen_at),
        "pending": None if snapshot.pending is None else dump(_unconfirmed_json(snapshot.pending)),
        "absent": snapshot.absent,
        "gone": snapshot.gone,
        "seq": snapshot.seq,
        "announced_statuses": dump(sorted(snapshot.announced_statuses)),
        "record": record_text(snapshot.record),
        "revision": snapshot.revision + 1,
        "run": None if snapshot.run is None else write_current_run(snapshot.run),
        "updates": None if snapshot.updates is None else write_updates(snapshot.updates),
        "result": None if snapshot.result is None else snapshot.result.value,
    }


def read_snapshot(row: RowMapping) -> Snapshot:
    """Read a row of ``training``."""
    return Snapshot(
        ref=TrainingRef.from_subject(row["subject"]),
        status=None if row["status"] is None else sys.intern(row["status"]),
        seen_after=_shared_time(row["seen_after"]),
        changed_after=None if row["changed_after"] is None else _shared_time(row["changed_after"]),
        changed_before=None if row["changed_before"] is None else _shared_time(row["changed_before"]),
        first_seen_at=_shared_time(row["first_seen_at"]),
        pending=None if row["pending"] is None else _read_unconfirmed(json.loads(row["pending"])),
        absent=row["absent"],
        gone=row["gone"],
        seq=row["seq"],
        announced_statuses=frozenset(json.loads(row["announced_statuses"])),
        record=JsonObject(row["record"].encode()),
        revision=row["revision"],
        run=None if row["run"] is None else read_current_run(row["run"]),
        updates=None if row["updates"] is None else read_updates(row["updates"]),
        result=None if row["result"] is None else ResultState(row["result"]),
    )


def _unconfirmed_json(unconfirmed: UnconfirmedStatus) -> Row:
    return {
        "status": unconfirmed.status,
        "asked_at": to_text(unconfirmed.asked_at),
        "answered_at": to_text(unconfirmed.answered_at),
        "source": unconfirmed.source.value,
        "late": unconfirmed.late,
        "service_was_gone": unconfirmed.service_was_gone,
        **_catch_up_json(unconfirmed.catch_up),
    }


def _catch_up_json(catch_up: CatchUp | None) -> Row:
    if catch_up is None or catch_up.outage is None:
        return {"catch_up_id": None if catch_up is None else catch_up.id}
    return {"catch_up_id": catch_up.id, "outage": outage_json(catch_up.outage)}


def _read_catch_up(data: Mapping[str, Any]) -> CatchUp | None:
    catch_up_id = data["catch_up_id"]
    return None if catch_up_id is None else CatchUp(catch_up_id, read_outage(data.get("outage")))


def _read_unconfirmed(data: Mapping[str, Any]) -> UnconfirmedStatus:
    return UnconfirmedStatus(
        status=data["status"],
        asked_at=from_text(data["asked_at"]),
        answered_at=from_text(data["answered_at"]),
        source=Source(data["source"]),
        late=data["late"],
        service_was_gone=data.get("service_was_gone", False),
        catch_up=_read_catch_up(data),
    )


def poll_row(state: PollState) -> Row:
    """Return the columns of a poll's state."""
    return {
        "key": state.key,
        "account": account_of(state.key),
        "good_asked_at": write_time(state.good_asked_at),
        "good_answered_at": write_time(state.good_answered_at),
        "digest": state.digest,
        "failures": state.failures,
        "failed_since": write_time(state.failed_since),
        "cause": None if state.cause is None else state.cause.value,
        "detail": state.detail,
        "name": state.name,
    }


def read_poll(row: RowMapping) -> PollState:
    """Read a row of ``poll``."""
    return PollState(
        key=row["key"],
        good_asked_at=read_time(row["good_asked_at"]),
        good_answered_at=read_time(row["good_answered_at"]),
        digest=row["digest"],
        failures=row["failures"],
        failed_since=read_time(row["failed_since"]),
        cause=None if row["cause"] is None else Cause(row["cause"]),
        detail=row["detail"],
        name=row["name"],
    )


def incident_columns(row: IncidentRow) -> Row:
    """Return the columns of a subject's incident."""
    incident = row.incident
    body = None if incident is None else dump(incident_json(incident))
    return {"subject": row.subject, "account": account_of(row.subject), "seq": row.seq, "body": body}


def read_incident_row(row: RowMapping) -> IncidentRow:
    """Read a row of ``incident``."""
    incident = None if row["body"] is None else _read_incident(json.loads(row["body"]))
    return IncidentRow(subject=row["subject"], seq=row["seq"], incident=incident)


def incident_json(incident: Incident) -> Row:
    """Return an incident as plain JSON."""
    return {
        "id": incident.id,
        "subject": incident.subject,
        "cause": incident.cause.value,
        "detail": incident.detail,
        "evidence": evidence_json(incident.evidence),
        "since": to_text(incident.since),
        "last_good_at": write_time(incident.last_good_at),
        "opened_at": to_text(incident.opened_at),
        "covers": sorted(incident.covers),
        "good_polls": incident.good_polls,
        "previous": None if incident.previous is None else previous_json(incident.previous),
    }


def _read_incident(data: Mapping[str, Any]) -> Incident:
    return Incident(
        id=data["id"],
        subject=data["subject"],
        cause=Cause(data["cause"]),
        detail=data["detail"],
        evidence=read_evidence(data),
        since=from_text(data["since"]),
        last_good_at=read_time(data["last_good_at"]),
        opened_at=from_text(data["opened_at"]),
        covers=frozenset(data["covers"]),
        good_polls=data["good_polls"],
        previous=read_previous(data.get("previous")),
    )


def deviation_row(deviation: Deviation) -> Row:
    """Return the columns of a deviation."""
    return {
        "description": deviation.description,
        "poll": deviation.poll,
        "seen_at": to_text(deviation.seen_at),
        "sample": dump(dict(deviation.sample)),
    }


def read_deviation(row: RowMapping) -> Deviation:
    """Read a row of ``deviation``."""
    return Deviation(
        description=row["description"],
        poll=row["poll"],
        seen_at=from_text(row["seen_at"]),
        sample=json.loads(row["sample"]),
    )


def event_row(event: Event) -> Row:
    """Return the columns of a new event, which is not routed yet."""
    return {
        "id": event.id,
        "subject": event.subject,
        "account": account_of(event.subject),
        "seq": event.seq,
        "kind": event.kind.value,
        "body": _event_body(event),
        "group_key": event.group,
        "recorded_at": to_text(event.recorded_at),
    }


def _event_body(event: Event) -> str:
    facts = dump(to_json(event, with_record=False))
    return f'{facts[:-1]},"training":{record_text(event.record)}}}'


def read_event(body: str) -> Event:
    """Read the ``body`` column of ``event``."""
    return from_json(json.loads(body))


def silence_row(silence: Silence) -> Row:
    """Return the columns of a silence."""
    return {
        "id": silence.id,
        "match": dump(patterns_of(silence.match)),
        "starts_at": to_text(silence.starts_at),
        "ends_at": to_text(silence.ends_at),
        "author": silence.author,
        "reason": silence.reason,
        "ended_at": write_time(silence.ended_at),
        "ended_by": silence.ended_by,
    }


def read_silence(row: RowMapping) -> Silence:
    """Read a row of ``silence``."""
    return Silence(
        id=row["id"],
        match=matcher_of(json.loads(row["match"])),
        starts_at=from_text(row["starts_at"]),
        ends_at=from_text(row["ends_at"]),
        author=row["author"],
        reason=row["reason"],
        ended_at=read_time(row["ended_at"]),
        ended_by=row["ended_by"],
    )


def write_mentions(mentions: Sequence[str]) -> str | None:
    """Return the column ``mention`` of a delivery; no mention contains a space."""
    return " ".join(mentions) or None


def read_mentions(column: str | None) -> tuple[str, ...]:
    """Read the column ``mention`` of a delivery."""
    return tuple((column or "").split())
