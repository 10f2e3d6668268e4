"""No field of what the store keeps holds a sentence of ours: each text field is named here, with its kind.

A new text field fails this test until it is named. A text for people belongs into ``core.messages``: the store gets a
code with parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any, get_args, get_type_hints

import pytest

from tests.unit.receivers.samples import CASES, GROUPS
from watcher.core.delivery.model import Settlement
from watcher.core.delivery.reason import ReasonCode
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.event import Event
from watcher.core.incidents.model import Incident
from watcher.core.routing.reason import RoutingReason
from watcher.core.training.model import Snapshot


class Text(StrEnum):
    """The kinds of texts that the store may hold."""

    CODE = "a code of ours, one word"
    ID = "an id or a name of AiTEMS, a receiver, the configuration or the store"
    FOREIGN = "text of AiTEMS, a receiver or an operator, kept as it came"
    DIAGNOSTIC = "one line of the system, a library or a peer, with numbers"
    OLD = "English of ours that an older version stored; no new one is written"


STORED = (Event, Incident, ReceiverState, RoutingReason, Settlement, Snapshot)
"""The dataclasses that the store writes, and through their fields all others."""

TEXTS = {
    "CatchUp.id": Text.ID,
    "Comparison.compared_with": Text.ID,
    "DeadLetterFacts.id": Text.ID,
    "DeadLetterFacts.old_about": Text.OLD,
    "Event.account": Text.ID,
    "Event.fallback_for": Text.ID,
    "Event.from_status": Text.FOREIGN,
    "Event.group": Text.ID,
    "Event.id": Text.ID,
    "Event.labels": Text.ID,
    "Event.links": Text.ID,
    "Event.reason": Text.CODE,
    "Event.record": Text.FOREIGN,
    "Event.service": Text.ID,
    "Event.service_name": Text.ID,
    "Event.skipped": Text.FOREIGN,
    "Event.subject": Text.ID,
    "Event.to_status": Text.FOREIGN,
    "Event.training_type": Text.ID,
    "Event.version": Text.ID,
    "Evidence.code": Text.CODE,
    "Incident.covers": Text.ID,
    "Incident.detail": Text.DIAGNOSTIC,
    "Incident.id": Text.ID,
    "Incident.subject": Text.ID,
    "IncidentFacts.cause": Text.CODE,
    "IncidentFacts.covers": Text.ID,
    "IncidentFacts.detail": Text.DIAGNOSTIC,
    "IncidentFacts.id": Text.ID,
    "NamedEvent.account": Text.ID,
    "NamedEvent.cause": Text.CODE,
    "NamedEvent.from_status": Text.FOREIGN,
    "NamedEvent.id": Text.ID,
    "NamedEvent.incident_kind": Text.CODE,
    "NamedEvent.kind": Text.CODE,
    "NamedEvent.reason": Text.CODE,
    "NamedEvent.receiver": Text.ID,
    "NamedEvent.service": Text.ID,
    "NamedEvent.service_name": Text.ID,
    "NamedEvent.subject": Text.ID,
    "NamedEvent.to_status": Text.FOREIGN,
    "NamedEvent.training_type": Text.ID,
    "NamedEvent.version": Text.ID,
    "GoodVersion.version": Text.ID,
    "OtherVersion.version": Text.ID,
    "Outage.subject": Text.ID,
    "PreviousCause.cause": Text.CODE,
    "PreviousCause.detail": Text.DIAGNOSTIC,
    "Reason.cause": Text.CODE,
    "Reason.detail": Text.DIAGNOSTIC,
    "Reason.name": Text.FOREIGN,
    "ReceiverFacts.answer": Text.FOREIGN,
    "ReceiverFacts.name": Text.ID,
    "ReceiverSignal.answer": Text.FOREIGN,
    "ReceiverState.answer": Text.FOREIGN,
    "ReceiverState.name": Text.ID,
    "Remedy.delivery_id": Text.ID,
    "RoutingReason.stand_in": Text.ID,
    "RoutingReason.stands_in_for": Text.ID,
    "SettingChange.new": Text.FOREIGN,
    "SettingChange.old": Text.FOREIGN,
    "SettingChange.option": Text.FOREIGN,
    "Settlement.answer": Text.FOREIGN,
    "Settlement.receipt": Text.ID,
    "Snapshot.announced_statuses": Text.FOREIGN,
    "Snapshot.record": Text.FOREIGN,
    "Snapshot.status": Text.FOREIGN,
    "Stage.status": Text.FOREIGN,
    "TrainingRef.account": Text.ID,
    "TrainingRef.service": Text.ID,
    "TrainingRef.type": Text.ID,
    "TrainingRef.version": Text.ID,
    "UnconfirmedStatus.status": Text.FOREIGN,
    "UpdateFacts.counts": Text.FOREIGN,
    "UpdateFacts.created_date": Text.FOREIGN,
    "UpdateFacts.finished_date": Text.FOREIGN,
    "UpdateFacts.status": Text.FOREIGN,
    "UpdateFacts.version": Text.ID,
    "UpdateLog.statuses": Text.FOREIGN,
    "WaitingEventFacts.id": Text.ID,
    "WaitingEventFacts.old_about": Text.OLD,
}


def parts(hint: object) -> Iterator[object]:
    """Yield a type and the types inside it."""
    yield hint
    for inner in get_args(hint):
        yield from parts(inner)


def stored_classes() -> set[type[Any]]:
    """Return every dataclass that is reached from those that the store writes."""
    found: set[type[Any]] = set()
    waiting: list[type[Any]] = list(STORED)
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            hints = get_type_hints(kind)
            inner = [part for name in hints for part in parts(hints[name])]
            waiting += [part for part in inner if isinstance(part, type) and is_dataclass(part)]
    return found


def text_fields(kind: type[Any]) -> set[str]:
    """Return the fields of a dataclass that can hold any text; an enumeration cannot."""
    hints = get_type_hints(kind)
    return {f"{kind.__name__}.{item.name}" for item in fields(kind) if {str, object} & set(parts(hints[item.name]))}


def test_every_text_field_that_is_stored_is_named_here_with_its_kind() -> None:
    found = set[str]().union(*map(text_fields, stored_classes()))
    assert found == set(TEXTS)


def test_the_walk_reaches_the_facts_of_every_event() -> None:
    names = {kind.__name__ for kind in stored_classes()}
    assert {"IncidentFacts", "ReceiverFacts", "DeadLetterFacts", "WaitingEventFacts", "NamedEvent", "Reason"} <= names


def words_of(value: object) -> Iterator[tuple[str, str]]:
    """Yield each text in an event with the name of its field."""
    if not is_dataclass(value):
        return
    for item in fields(value):
        inner = getattr(value, item.name)
        for single in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(single, str) and not isinstance(single, Enum):
                yield f"{type(value).__name__}.{item.name}", single
            yield from words_of(single)


EVENTS = CASES | {f"{name}-{event.id}": event for name, (events, _) in GROUPS.items() for event in events}


@pytest.mark.parametrize("case", EVENTS)
def test_a_code_is_one_word_and_no_new_event_holds_a_text_of_an_older_version(case: str) -> None:
    for field, text in words_of(EVENTS[case]):
        kind = TEXTS.get(field)
        assert kind is not Text.CODE or " " not in text, f"{field} holds {text!r}"
        assert kind is not Text.OLD or not text, f"{field} holds {text!r}"


def test_only_a_reason_of_an_older_version_is_a_text() -> None:
    reasons = [event.receiver.reason for event in CASES.values() if event.receiver is not None]
    assert reasons
    assert all(reason.code is not ReasonCode.TEXT for reason in reasons)
