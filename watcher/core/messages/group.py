"""The message about several events: the reason why they share it, and a line for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.messages.text import Bounds, Code, TextLine, code, cut_note, listed
from watcher.core.messages.training import (
    RESTORED,
    UNCONFIRMED,
    Message,
    Severity,
    compose,
    fallback_note,
    mark_texts,
    repeat_note,
    status_code,
)

EMOJI: Final = "📋"
STAGES_MAX: Final = 3
"""Skipped stages that are shown of one event; AiTEMS has at most two between two statuses."""
INCIDENT_PREFIX: Final = "inc_"
FOUND_LATE: Final = "found when the watcher could poll again"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """One event of several."""

    emoji: str
    subject: TextLine
    outcome: TextLine
    """The new status, e.g. ``→ completed``."""
    path: TextLine
    """The old and the new status, with the skipped stages between them in brackets."""
    bounds: Bounds
    marks: tuple[str, ...]
    """Every mark, in one or two words."""

    @property
    def short(self) -> TextLine:
        """The line without bounds and marks."""
        return (f"{self.emoji} ", *self.subject, " ", *self.outcome)

    def full(self, separator: str) -> TextLine:
        """Return the whole line; ``separator`` stands between the subject and the change."""
        marks = "".join(f", {mark}" for mark in self.marks)
        return (f"{self.emoji} ", *self.subject, separator, *self.path, " (", self.bounds, f"){marks}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMessage:
    """The text about several events, in their order."""

    severity: Severity
    """The highest severity among the events."""
    headline: str
    notes: tuple[TextLine, ...]
    """Explanations of the entries and of the marks that occur."""
    entries: tuple[GroupEntry, ...]
    also: tuple[TextLine, ...]
    """The subject and status of each event of the same catch-up that was sent separately."""
    origin: TextLine
    """The incident that hid the changes, and the ids of the events."""
    repeat: TextLine
    """The line for a delivery of which an earlier copy may have arrived."""

    @property
    def title(self) -> TextLine:
        """The headline with the emoji before it."""
        return (f"{EMOJI} {self.headline}",)

    def sent_separately(self, most: int) -> TextLine:
        """Name at most ``most`` of the events that were sent separately, and count the others; empty without any."""
        if not self.also:
            return ()
        if most == 0:
            return (f"{len(self.also)} more sent separately.",)
        return ("Sent separately: ", *listed(self.also, "; ", most=most))


def compose_group(events: Sequence[Event], also: Sequence[Event]) -> GroupMessage:
    """Return one message about ``events``, of which there is at least one.

    Args:
        events: the events, in the order of the lines.
        also: events of the same catch-up that were sent separately.
    """
    messages = [compose(event) for event in events]
    return GroupMessage(
        severity=max((message.severity for message in messages), key=list(Severity).index),
        headline=_headline(events),
        notes=tuple(_notes(events)),
        entries=tuple(_entry(event, message) for event, message in zip(events, messages, strict=True)),
        also=tuple(map(_named, also)),
        origin=_origin(events),
        repeat=repeat_note(events[0], len(events) - 1),
    )


def _headline(events: Sequence[Event]) -> str:
    trainings = len({event.subject for event in events})
    late = all(event.late for event in events)
    ending = FOUND_LATE if late else "in one message"
    if trainings == 1 and events[0].version is not None:
        return f"{len(events)} changes of 1 training {ending}"
    if not late:
        return f"{len(events)} events {ending}"
    if trainings < len(events):
        return f"{len(events)} changes of {trainings} trainings {ending}"
    change = "changed or new" if any(event.new for event in events) else "changed"
    return f"{trainings} trainings {change}, {FOUND_LATE}"


def _notes(events: Sequence[Event]) -> Iterable[TextLine]:
    yield ("Each change happened between the two times beside it.",)
    if any(event.late for event in events):
        yield ("Late: during part of that time the watcher could not poll.",)
    if any(event.restored for event in events):
        yield (RESTORED,)
    if any(event.skipped for event in events):
        yield ("No poll returned the stages in brackets (their order is our reading).",)
    if not all(event.confirmed for event in events):
        yield (UNCONFIRMED,)
    yield from fallback_note(events[0])


def _entry(event: Event, message: Message) -> GroupEntry:
    return GroupEntry(
        emoji=message.emoji,
        subject=message.subject,
        outcome=_outcome(event, message),
        path=_path(event, message),
        bounds=Bounds.around(event.after, event.before),
        marks=mark_texts(event),
    )


def _outcome(event: Event, message: Message) -> TextLine:
    if event.incident is not None or event.receiver is not None:
        return (message.headline,)
    if event.kind is Kind.GONE:
        return ("gone",)
    beginning = "back, recorded as " if event.kind is Kind.BACK else "→ "
    return (beginning, status_code(event.to_status))


def _path(event: Event, message: Message) -> TextLine:
    if event.incident is not None or event.receiver is not None:
        return (message.headline,)
    if event.kind is Kind.GONE:
        return (status_code(event.from_status), " → gone")
    if event.kind is Kind.BACK:
        return _outcome(event, message)
    if event.from_status is None:
        return ("first seen as ", status_code(event.to_status))
    return (status_code(event.from_status), *_skipped(event.skipped), " → ", status_code(event.to_status))


def _skipped(stages: Sequence[str]) -> TextLine:
    if not stages:
        return ()
    shown = listed((code(stage),) for stage in stages[:STAGES_MAX])
    more = len(stages) - STAGES_MAX
    return (" → (", *shown, *((cut_note(more),) if more > 0 else ()), ")")


def _named(event: Event) -> TextLine:
    message = compose(event)
    return (*message.subject, " ", *_outcome(event, message))


def _origin(events: Sequence[Event]) -> TextLine:
    ids = _ids(events)
    group = events[0].group or ""
    if not group.startswith(INCIDENT_PREFIX):
        return ids
    return ("Incident ", code(group[:SHORT_ID_LENGTH]), " · ", *ids)


def _ids(events: Sequence[Event]) -> TextLine:
    pieces = [piece for event in events for piece in (", ", Code(event.short_id))]
    return ("Events ", *pieces[1:])
