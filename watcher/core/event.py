"""What is told: an event, its kind, and the id it has for ever.

The id is computed from the store's epoch, the subject and ``seq``, so that deciding the same history twice
gives the same ids and the core needs no randomness.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.timestamps import from_text, require_utc, to_text
from watcher.core.training.model import NO_RECORD

SHORT_ID_LENGTH: Final = 12


class Kind(StrEnum):
    """The kinds of events; routes name them, and the webhook's ``type`` ends with them."""

    APPEARED = "appeared"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RESTARTED = "restarted"
    UNKNOWN_STATUS = "unknown-status"
    GONE = "gone"
    BACK = "back"
    UNREACHABLE = "unreachable"
    DENIED = "denied"
    THROTTLED = "throttled"
    CLOCK_SKEW = "clock-skew"
    NOT_FOUND = "not-found"
    RECOVERED = "recovered"
    STORE_FAILING = "store-failing"
    STORE_RECOVERED = "store-recovered"
    RECEIVER_FAILING = "receiver-failing"
    RECEIVER_RECOVERED = "receiver-recovered"
    UNDELIVERED = "undelivered"


INCIDENT_KINDS: Final = frozenset(
    {Kind.UNREACHABLE, Kind.DENIED, Kind.THROTTLED, Kind.CLOCK_SKEW, Kind.NOT_FOUND, Kind.RECOVERED}
)
"""What is told about not seeing; a training's status never changes by them."""

STORE_KINDS: Final = frozenset({Kind.STORE_FAILING, Kind.STORE_RECOVERED})
"""What is told about the watcher's own store."""

RECEIVER_KINDS: Final = frozenset({Kind.RECEIVER_FAILING, Kind.RECEIVER_RECOVERED, Kind.UNDELIVERED})
"""What is told about a receiver, through another one."""

DEFAULT_KINDS: Final = (
    INCIDENT_KINDS
    | STORE_KINDS
    | RECEIVER_KINDS
    | {
        Kind.SUCCEEDED,
        Kind.FAILED,
        Kind.RESTARTED,
        Kind.UNKNOWN_STATUS,
        Kind.GONE,
        Kind.BACK,
    }
)
"""What a route without ``kind`` takes; the others go only where they are named."""

URGENT_KINDS: Final = INCIDENT_KINDS | STORE_KINDS | RECEIVER_KINDS | {Kind.FAILED}
"""What goes first between trainings."""

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change, told once: what changed, between when and when, and what led to it."""

    id: str
    kind: Kind
    subject: str
    """What it is about, e.g. ``training:main/6wxgu1abcde/pop/maqll0abcde``."""
    seq: int
    """Orders the events of a subject, from 1, without a gap."""
    reason: str
    """The deciding rule's word, see ``core.lifecycle.Reason``."""
    account: str | None
    """``None`` where it is about a receiver."""
    service: str | None
    """``None`` where it is about the account as a whole, or about no account."""
    training_type: str | None
    """``None``, as ``version``, where it is not about one training."""
    version: str | None
    service_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    from_status: str | None
    """``None`` for a training that was not known before, and where nothing moved."""
    to_status: str | None
    """``None`` where nothing moved: a training is gone, or something cannot be seen."""
    skipped: tuple[str, ...] = ()
    """Stages that were not seen, by our reading of their order."""
    late: bool = False
    """Whether it may have happened while the watcher could not look."""
    restored: bool = False
    """Whether it may have been told before, under another id: the store is an older copy of itself."""
    new: bool = False
    confirmed: bool = True
    """False for a final status of a list that no second answer repeated in time."""
    after: datetime
    """Start of the last request that still saw the old status."""
    before: datetime
    """End of the first answer that saw the new one."""
    recorded_at: datetime
    incident: Mapping[str, object] | None = field(default=None, hash=False)
    """Of what kind of not seeing it tells: cause, advice, since when; see ``core.incident_event``."""
    receiver: Mapping[str, object] | None = field(default=None, hash=False)
    """About which receiver it tells, and what; see ``core.receiver_health``."""
    group: str | None = None
    """The occasion that it is told on together with others, e.g. the outage that hid it."""
    record: Mapping[str, object] = field(default_factory=lambda: NO_RECORD, hash=False)
    """The training's other fields as AiTEMS gave them."""

    def __post_init__(self) -> None:
        for moment in (self.after, self.before, self.recorded_at):
            require_utc(moment)

    @property
    def type(self) -> str:
        """The webhook's ``type``, e.g. ``training.failed`` or ``account.unreachable``."""
        if self.kind in STORE_KINDS:
            return f"watcher.{self.kind}"
        if self.receiver is not None:
            return f"receiver.{self.kind.removeprefix('receiver-')}"
        if self.version is not None:
            return f"training.{self.kind}"
        return f"account.{self.kind}" if self.service is None else f"service.{self.kind}"

    @property
    def short_id(self) -> str:
        """What a person may type or compare, e.g. ``evt_01jdxq5k``."""
        return self.id[:SHORT_ID_LENGTH]

    @property
    def urgent(self) -> bool:
        """Whether it goes before what is not urgent."""
        return self.kind in URGENT_KINDS


def after_restore(event: Event, restored_at: datetime | None) -> Event:
    """Mark an event that the store may have told before it was restored: one whose time reaches back that far."""
    if restored_at is None or event.after >= restored_at:
        return event
    return replace(event, restored=True)


def again_under(event: Event, epoch: str) -> Event:
    """Return an event as it is told in a restored store's new epoch: it may have been told in the old one."""
    return replace(event, id=event_id(epoch, event.subject, event.seq), restored=True)


def event_id(epoch: str, subject: str, seq: int) -> str:
    """Return the one id of a subject's event number ``seq`` in the store of this ``epoch``."""
    return "evt_" + _digest(epoch, subject, str(seq))


def incident_id(epoch: str, subject: str, seq: int) -> str:
    """Return the id that the events of one incident share, by the number of the first of them."""
    return "inc_" + _digest(epoch, subject, str(seq), "incident")


def delivery_id(event_ids: tuple[str, ...], receiver: str) -> str:
    """Return the ``webhook-id`` of the delivery that brings these events to this receiver."""
    return "msg_" + _digest(receiver, *event_ids)


def _digest(*parts: str) -> str:
    # A unit separator between the parts keeps ("a", "bc") and ("ab", "c") apart.
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def to_json(event: Event) -> dict[str, object]:
    """Return the event as plain JSON, for the store; ``from_json`` reads it back."""
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
        "from": event.from_status,
        "to": event.to_status,
        "skipped": list(event.skipped),
        "late": event.late,
        "restored": event.restored,
        "new": event.new,
        "confirmed": event.confirmed,
        "after": to_text(event.after),
        "before": to_text(event.before),
        "recorded_at": to_text(event.recorded_at),
        "incident": None if event.incident is None else dict(event.incident),
        "receiver": None if event.receiver is None else dict(event.receiver),
        "group": event.group,
        "training": dict(event.record),
    }


def from_json(data: Mapping[str, object]) -> Event:
    """Read what ``to_json`` wrote; the data is our own, so a surprise is a ``KeyError`` or ``TypeError``."""
    rest = dict(data)
    return Event(
        kind=Kind(str(rest.pop("kind"))),
        from_status=rest.pop("from"),  # type: ignore[arg-type]  # our own JSON, see the docstring
        to_status=rest.pop("to"),  # type: ignore[arg-type]  # as above
        skipped=tuple(rest.pop("skipped")),  # type: ignore[arg-type]  # as above
        after=from_text(str(rest.pop("after"))),
        before=from_text(str(rest.pop("before"))),
        recorded_at=from_text(str(rest.pop("recorded_at"))),
        record=rest.pop("training"),  # type: ignore[arg-type]  # as above
        **rest,  # type: ignore[arg-type]  # as above
    )
