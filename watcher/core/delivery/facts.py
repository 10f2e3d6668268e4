"""The facts about a receiver that an event holds: codes and values, no text for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watcher.core.delivery.reason import RECEIVER_REMOVED, Reason
from watcher.core.incidents.evidence import NO_EVIDENCE, Evidence


class RemedyCode(StrEnum):
    """The action that an operator can take about a receiver."""

    PARKED = "parked"
    """Fix the cause that the reason names, then reload."""
    REMOVED = "removed"
    """Configure the receiver again, or drop its deliveries."""
    FAILING = "failing"
    """Repair the receiver or the way to it; the watcher keeps trying."""
    RETRY = "retry"
    """Fix the cause, then send the dead letters again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """An action for an operator: a code, and the parameter of its command."""

    code: RemedyCode
    delivery_id: str | None = None
    """The only dead letter; ``None`` where the command is about all dead letters of the receiver."""


def failing_remedy(reason: Reason, *, parked: bool = True) -> Remedy:
    """Return the remedy for a receiver that fails for this reason, permanently or not."""
    if not parked:
        return Remedy(code=RemedyCode.FAILING)
    return Remedy(code=RemedyCode.REMOVED if reason == RECEIVER_REMOVED else RemedyCode.PARKED)


def retry_remedy(delivery_ids: Sequence[str], count: int) -> Remedy:
    """Return the remedy for so many dead letters, of which these are named."""
    return Remedy(code=RemedyCode.RETRY, delivery_id=delivery_ids[0] if count == 1 else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedEvent:
    """The facts that the title of an event's message is made of, so that another event can name it."""

    id: str
    kind: str
    """The value of a ``Kind``."""
    reason: str
    """The code of the rule that decided."""
    subject: str
    account: str | None = None
    service: str | None = None
    service_name: str | None = None
    training_type: str | None = None
    version: str | None = None
    from_status: str | None = None
    to_status: str | None = None
    incident_kind: str | None = None
    """The kind of the event that began its incident; ``None`` where it is about no incident."""
    cause: str = ""
    """The code of the incident's cause."""
    evidence: Evidence = NO_EVIDENCE
    receiver: str | None = None
    """The receiver that it is about."""
    count: int = 0
    """The dead letters that it is about."""
    at: datetime
    """The end of the first answer with the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFacts:
    """A dead letter that an event names."""

    id: str
    reason: Reason
    event: NamedEvent | None = None
    """Its first event; ``None`` where it is not known."""
    more: int = 0
    """Its other events."""
    old_about: str = ""
    """The English title that a version before the codes stored instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingEventFacts:
    """An urgent event that waits for a failing receiver."""

    id: str
    event: NamedEvent | None = None
    """``None`` where a version before the codes stored only a title."""
    old_about: str = ""
    """The English title that a version before the codes stored instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverFacts:
    """The receiver that an event is about."""

    name: str
    since: datetime
    """Start of the failure; of dead letters, the creation of the oldest one."""
    reason: Reason
    answer: str = ""
    """The receiver's answer, cut; empty where there was none."""
    waiting: int | None = None
    """Deliveries that wait for the receiver; ``None`` for dead letters."""
    lasted_seconds: float | None = None
    """``None`` until the receiver recovers."""
    count: int = 0
    """All dead letters; ``deliveries`` names only the first ones."""
    deliveries: tuple[DeadLetterFacts, ...] = ()
    urgent: tuple[WaitingEventFacts, ...] = ()
    """Urgent events that wait for the receiver, the oldest first; only the first ones are named."""
    ended_at: datetime | None = None
    """The end of the first dead letter; ``None`` where there is none."""
    expires_at: datetime | None = None
    """The earliest time at which a delivery that waits for a failing receiver expires; ``None`` where none waits."""
    remedy: Remedy | None = None
    """``None`` where the receiver has recovered."""
