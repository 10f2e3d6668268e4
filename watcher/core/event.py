"""An event: a fact to announce, with its kind, its bounds and a stable id.

The id is computed from the store's epoch, the subject and ``seq``. The same history therefore gives the same ids, and
the core needs no randomness.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.delivery.facts import NamedEvent, ReceiverFacts
from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.incidents.evidence import NO_EVIDENCE, Evidence
from watcher.core.timestamps import require_utc
from watcher.core.training.absence import OverdueFacts
from watcher.core.training.catch_up import Outage
from watcher.core.training.comparison import Comparison, EndFacts, StuckFacts
from watcher.core.training.model import NO_RECORD, Phase, TrainingRef, phase_of
from watcher.core.updates.model import UpdateFacts
from watcher.core.usability.facts import UnusableFacts

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
    STUCK = "stuck"
    UNSTUCK = "unstuck"
    FAST = "fast"
    OVERDUE = "overdue"
    UPDATE_SUCCEEDED = "update-succeeded"
    UPDATE_FAILED = "update-failed"
    UNUSABLE = "unusable"
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
"""Kinds of events about failing polls. They never change the status of a training."""

STORE_KINDS: Final = frozenset({Kind.STORE_FAILING, Kind.STORE_RECOVERED})
"""Kinds of events about the watcher's own store."""

RECEIVER_KINDS: Final = frozenset({Kind.RECEIVER_FAILING, Kind.RECEIVER_RECOVERED, Kind.UNDELIVERED})
"""Kinds of events about a receiver; another receiver is notified of them."""

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
        Kind.STUCK,
        Kind.UNSTUCK,
        Kind.OVERDUE,
        Kind.UPDATE_FAILED,
        Kind.UNUSABLE,
    }
)
"""The kinds that a route without ``kind`` takes; a route takes any other kind only where it names it."""

URGENT_KINDS: Final = (
    INCIDENT_KINDS | STORE_KINDS | RECEIVER_KINDS | {Kind.FAILED, Kind.STUCK, Kind.OVERDUE, Kind.UPDATE_FAILED}
)
"""Kinds that are delivered before the other kinds, except among the events of one training."""

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
NO_LINKS: Final[Mapping[str, str]] = MappingProxyType({})


class Mark(StrEnum):
    """A reservation about an event."""

    LATE = "late"
    RESTORED = "restored"
    NEW = "new"
    UNCONFIRMED = "unconfirmed"
    UNKNOWN_STATUS = "unknown-status"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """The latest restore of the store from a backup."""

    at: datetime
    backup_made_at: datetime | None = None
    """``None`` where the backup does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousCause:
    """The cause that an incident had before its present one."""

    cause: str
    detail: str
    until: datetime
    """Start of the first failed poll with the new kind of cause."""
    evidence: Evidence = NO_EVIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """The incident that an event is about."""

    id: str
    """Shared by all events of the incident."""
    kind: Kind
    """The kind of the event that began it, or that changed its cause."""
    cause: str
    """A ``Cause`` of a failed poll, or the code of a write fault such as ``disk-full``; the advice follows from it."""
    detail: str
    """One line for a diagnosis, without secrets; may be empty. Nothing is read out of it."""
    evidence: Evidence = NO_EVIDENCE
    since: datetime
    """Start of the first failed poll."""
    last_good_at: datetime | None = None
    """The end of the last good poll; ``None`` where there was none."""
    covers: tuple[str, ...] = ()
    """Subjects of announced incidents that this one absorbed; at its end, those that have answered since."""
    lasted_seconds: float | None = None
    """``None`` until the incident ends."""
    services: int = 0
    """The number of services that the account's incident covers; 0 where it is not known."""
    previous: PreviousCause | None = None
    """``None`` where the kind of the cause has not changed."""
    paused_until: datetime | None = None
    """The end of the account's pause, at the time of the event; ``None`` where its requests did not pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact to announce, with its subject, its bounds and its marks."""

    id: str
    kind: Kind
    subject: str
    """The thing that the event is about, e.g. ``training:main/6wxgu1abcde/pop/maqll0abcde``."""
    seq: int
    """The number of the event among those of its subject, from 1, without a gap."""
    reason: str
    """The code of the rule that decided, see ``core.training.decision.DecisionReason``."""
    account: str | None
    """``None`` for an event about a receiver."""
    service: str | None
    """``None`` for an event about a whole account, or about no account."""
    training_type: str | None
    """``None``, as ``version``, for an event that is not about one training."""
    version: str | None
    service_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """Addresses of pages by name: ``console``, ``runbook``."""
    from_status: str | None
    """``None`` for a training that was not known before, and where no status changed."""
    to_status: str | None
    """``None`` where no status changed: a training is gone, or the event is about polls or a receiver."""
    skipped: tuple[str, ...] = ()
    """Stages between the two statuses that no poll returned; their order is our reading."""
    late: bool = False
    """Whether the change may have happened while the watcher could not poll."""
    service_was_gone: bool = False
    """Whether a late change may have happened while its service did not exist, rather than while nothing polled."""
    restored: bool = False
    """Whether the change may have been announced before, under another id, since the store is an older copy."""
    restored_from: datetime | None = None
    """The time of that copy, a backup; ``None`` where it is not known."""
    new: bool = False
    confirmed: bool = True
    """False for a final status from a list that no second answer repeated in time."""
    after: datetime
    """Start of the last request that returned the old status."""
    before: datetime
    """End of the first answer with the new status."""
    recorded_at: datetime
    incident: IncidentFacts | None = None
    """The incident, for an event about failing polls or the store."""
    receiver: ReceiverFacts | None = None
    """The receiver, for an event about one."""
    run: RunStart | None = None
    """The start of the run that the event belongs to; ``None`` where no poll saw it."""
    comparison: Comparison | None = None
    """The run that ended, beside earlier ones; ``None`` where no run ended, or the earlier ones could not be read."""
    stuck: StuckFacts | None = None
    """With ``stuck`` and ``unstuck``, and with the end of a run that was reported as stuck."""
    expected_end: EndFacts | None = None
    """The expected end of the run in progress; ``None`` where too few runs are known."""
    overdue: OverdueFacts | None = None
    """With ``overdue``: the retraining that did not come."""
    update: UpdateFacts | None = None
    """With ``update-failed`` and ``update-succeeded``: the update of the training."""
    unusable: UnusableFacts | None = None
    """With ``unusable``: how long the inference result of the training is missing."""
    group: str | None = None
    """The id of the catch-up that found the change, e.g. that of an incident."""
    outage: Outage | None = None
    """The outage before that catch-up; ``None`` after a start or a reload."""
    fallback_for: str | None = None
    """The failing receiver in whose place this one gets the event; a fact of the delivery alone."""
    record: Mapping[str, object] = field(default_factory=lambda: NO_RECORD, hash=False)
    """The training's other fields as AiTEMS returned them."""

    def __post_init__(self) -> None:
        for time in (self.after, self.before, self.recorded_at):
            require_utc(time)

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
    def bounds(self) -> Bounds:
        """The two times between which it happened."""
        return Bounds(after=self.after, before=self.before)

    @property
    def training(self) -> TrainingRef | None:
        """The training that the event is about; ``None`` for one that is not about a training."""
        if self.account is None or self.service is None or self.training_type is None or self.version is None:
            return None
        return TrainingRef(self.account, self.service, self.training_type, self.version)

    @property
    def short_id(self) -> str:
        """The beginning of the id, for a person to type or compare, e.g. ``evt_01jdxq5k``."""
        return self.id[:SHORT_ID_LENGTH]

    @property
    def urgent(self) -> bool:
        """Whether the event is delivered before events that are not urgent."""
        return self.kind in URGENT_KINDS

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Every reservation about the event, in the order in which messages show them."""
        return tuple(_marks(self))


def _marks(event: Event) -> Iterator[Mark]:
    if event.late:
        yield Mark.LATE
    if event.restored:
        yield Mark.RESTORED
    if event.new:
        yield Mark.NEW
    if not event.confirmed:
        yield Mark.UNCONFIRMED
    if event.to_status is not None and phase_of(event.to_status) is Phase.UNKNOWN:
        yield Mark.UNKNOWN_STATUS
    if event.fallback_for is not None:
        yield Mark.FALLBACK


def named_event(event: Event) -> NamedEvent:
    """Return the facts by which another event names this one."""
    incident, receiver = event.incident, event.receiver
    return NamedEvent(
        id=event.id,
        kind=event.kind.value,
        reason=event.reason,
        subject=event.subject,
        account=event.account,
        service=event.service,
        service_name=event.service_name,
        training_type=event.training_type,
        version=event.version,
        from_status=event.from_status,
        to_status=event.to_status,
        incident_kind=None if incident is None else incident.kind.value,
        cause="" if incident is None else incident.cause,
        evidence=NO_EVIDENCE if incident is None else incident.evidence,
        receiver=None if receiver is None else receiver.name,
        count=0 if receiver is None else receiver.count,
        at=event.before,
    )


def after_restore(event: Event, restore: Restore | None) -> Event:
    """Mark an event as restored where its bounds begin before the restore of the store."""
    if restore is None or event.after >= restore.at:
        return event
    return replace(event, restored=True, restored_from=restore.backup_made_at)


def in_new_epoch(event: Event, epoch: str, backup_made_at: datetime | None) -> Event:
    """Return an event under its id in the new epoch of a restored store, marked as restored."""
    identity = event_id(epoch, event.subject, event.seq)
    return replace(event, id=identity, restored=True, restored_from=backup_made_at)


def event_id(epoch: str, subject: str, seq: int) -> str:
    """Return the id of a subject's event number ``seq`` in the store of this ``epoch``."""
    return "evt_" + _digest(epoch, subject, str(seq))


def incident_id(epoch: str, subject: str, seq: int) -> str:
    """Return the id that the events of one incident share; ``seq`` is the number of the first of them."""
    return "inc_" + _digest(epoch, subject, str(seq), "incident")


def delivery_id(event_ids: tuple[str, ...], receiver: str) -> str:
    """Return the ``webhook-id`` of the delivery of these events to this receiver."""
    return "msg_" + _digest(receiver, *event_ids)


def _digest(*parts: str) -> str:
    # A unit separator between the parts keeps ("a", "bc") and ("ab", "c") apart.
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()
