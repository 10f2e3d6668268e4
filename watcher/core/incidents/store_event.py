"""What is told when the watcher's own store cannot be written, and when it can again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind, event_id, incident_id
from watcher.core.incidents.tracker import IncidentChangeKind
from watcher.core.timestamps import from_text, to_text

STORE_SUBJECT: Final = "watcher:store"
ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "disk-full": "Make room on the disk that holds the watcher's store; it goes on by itself.",
        "io-error": "Look at the disk that holds the watcher's store and at the system's log; it goes on by itself.",
        "database-away": "Check that the database server runs and that this machine reaches it; it goes on by itself.",
        "locked": "Find the process that holds the watcher's store open for writing, and end it; it goes on by itself.",
    }
)


def store_failing(cause: str, detail: str, epoch: str, seq: int, now: datetime) -> Event:
    """Return the event that the store cannot be written since now.

    It is told before it is recorded, and dies with its process: the next one counts from the same number on. So its
    time is a part of its id, or another trouble would come under the id of one that its receivers have.
    """
    named_apart = f"{STORE_SUBJECT} {to_text(now)}"
    facts: dict[str, object] = {
        "id": incident_id(epoch, named_apart, seq),
        "kind": Kind.STORE_FAILING.value,
        "cause": cause,
        "detail": detail,
        "advice": ADVICE[cause],
        "since": to_text(now),
        "last_good_at": None,
        "covers": [],
        "lasted_seconds": None,
    }
    return _event(Kind.STORE_FAILING, facts, event_id(epoch, named_apart, seq), seq, now)


def store_recovered(trouble: Event, epoch: str, now: datetime) -> Event:
    """Return the event that the store can be written again."""
    facts = dict(trouble.incident or {})
    since = from_text(str(facts["since"]))
    facts["lasted_seconds"] = max((now - since).total_seconds(), 0.0)
    seq = trouble.seq + 1
    return _event(Kind.STORE_RECOVERED, facts, event_id(epoch, STORE_SUBJECT, seq), seq, now)


def _event(kind: Kind, facts: Mapping[str, object], identity: str, seq: int, now: datetime) -> Event:
    since = from_text(str(facts["since"]))
    return Event(
        id=identity,
        kind=kind,
        subject=STORE_SUBJECT,
        seq=seq,
        reason=(IncidentChangeKind.OPENED if kind is Kind.STORE_FAILING else IncidentChangeKind.CLOSED).value,
        account="",
        service=None,
        training_type=None,
        version=None,
        from_status=None,
        to_status=None,
        after=min(since, now),
        before=now,
        recorded_at=now,
        incident=facts,
    )
