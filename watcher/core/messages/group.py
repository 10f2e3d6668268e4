"""What a person is told about several events at once: why they come together, and a line for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.messages.text import Bounds, Code, TextLine, code, cut_note, listed
from watcher.core.messages.training import RESTORED, Message, Severity, compose, repeat_note, status_code
from watcher.core.training.model import Phase, phase_of

EMOJI: Final = "📋"
STAGES_MAX: Final = 3
"""Skipped stages that are shown of one event; more than two there never are."""
INCIDENT_PREFIX: Final = "inc_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of several."""

    emoji: str
    subject: TextLine
    outcome: TextLine
    """What it came to, e.g. ``→ completed``."""
    path: TextLine
    """How it came to that, with the stages that were not seen in brackets."""
    bounds: Bounds
    marks: tuple[str, ...]
    """Every reservation, in one or two words."""

    @property
    def short(self) -> TextLine:
        """What happened, without when."""
        return (f"{self.emoji} ", *self.subject, " ", *self.outcome)

    def full(self, separator: str) -> TextLine:
        """Return everything; ``separator`` stands between the subject and what happened."""
        marks = "".join(f", {mark}" for mark in self.marks)
        return (f"{self.emoji} ", *self.subject, separator, *self.path, " (", self.bounds, f"){marks}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMessage:
    """Several events in words, in their order."""

    severity: Severity
    """The gravest of them."""
    headline: str
    notes: tuple[TextLine, ...]
    """How the entries are to be read."""
    entries: tuple[Entry, ...]
    also: tuple[TextLine, ...]
    """What was told by itself, and is not told again here."""
    origin: TextLine
    """The incident that hid them, and their ids."""
    repeat: TextLine
    """To be shown where an earlier copy may have arrived."""

    @property
    def title(self) -> TextLine:
        """The headline with the emoji before it."""
        return (f"{EMOJI} {self.headline}",)

    def sent_separately(self, most: int) -> TextLine:
        """Name what was told by itself, at most so many; the others are counted. Empty where there is nothing."""
        if not self.also:
            return ()
        if most == 0:
            return (f"{len(self.also)} more told by themselves.",)
        beginning = "Told by itself: " if len(self.also) == 1 else "Told by themselves: "
        return (beginning, *listed(self.also, "; ", most=most))


def compose_group(events: Sequence[Event], also: Sequence[Event]) -> GroupMessage:
    """Return what a person is told about ``events``, at least one, told together.

    Args:
        events: in the order in which they are to stand.
        also: events of the same occasion that were told by themselves.
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
    catch_up_id = "found when the watcher could look again" if all(event.late for event in events) else "told together"
    if trainings == 1 and events[0].version is not None:
        return f"{len(events)} changes of 1 training {catch_up_id}"
    if not all(event.late for event in events):
        return f"{len(events)} events {catch_up_id}"
    if trainings < len(events):
        return f"{len(events)} changes of {trainings} trainings {catch_up_id}"
    what = "changed or new" if any(event.new for event in events) else "changed"
    return f"{trainings} trainings found {what} when the watcher could look again"


def _notes(events: Sequence[Event]) -> Iterable[TextLine]:
    yield ("Each change came between the two times beside it.",)
    if any(event.late for event in events):
        yield ("Late: for a part of that time the watcher could not look.",)
    if any(event.restored for event in events):
        yield (RESTORED,)
    if any(event.skipped for event in events):
        yield ("Stages in brackets were not seen (their order is our reading).",)
    if not all(event.confirmed for event in events):
        yield ("Unconfirmed: a list showed it, and no second answer has repeated it yet.",)


def _entry(event: Event, message: Message) -> Entry:
    return Entry(
        emoji=message.emoji,
        subject=message.subject,
        outcome=_outcome(event, message),
        path=_path(event, message),
        bounds=Bounds.around(event.after, event.before),
        marks=tuple(_marks(event)),
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


def _marks(event: Event) -> Iterable[str]:
    if event.late:
        yield "late"
    if event.restored:
        yield "restored"
    if event.new:
        yield "new"
    if not event.confirmed:
        yield "unconfirmed"
    if event.to_status is not None and phase_of(event.to_status) is Phase.UNKNOWN:
        yield "unknown status"


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
