"""The message about one event: headline, lines and facts, neutral to the medium that shows them.

``group`` composes a message about several events. ``incident`` and ``receiver`` have the lines about those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind, Mark
from watcher.core.messages import incident as incident_message
from watcher.core.messages import receiver as receiver_message
from watcher.core.messages.text import Bounds, Code, TextLine, code, codes, one_line, plain_text
from watcher.core.training.model import Status

__all__ = [
    "Fact",
    "Message",
    "Severity",
    "compose",
    "mark_texts",
    "one_line",
    "plain_text",
    "repeat_note",
    "status_code",
    "subject_line",
]

RESTORED: Final = "You may have received this before: the watcher's store was restored from an older copy."
UNCONFIRMED: Final = "Unconfirmed: a list returned this status, and no second answer has repeated it yet."
DESCRIPTION_LIMIT: Final = 300
"""Characters of a training's description that are shown."""


class Severity(StrEnum):
    """The severity of a message, from the lowest to the highest."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value below the lines."""

    label: str
    value: TextLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The text about one event."""

    severity: Severity
    emoji: str
    headline: str
    """The change in our own words, without text from outside."""
    subject: TextLine
    """The training, service, account, store or receiver."""
    lines: tuple[TextLine, ...]
    """The change, its bounds, and every reservation about it."""
    facts: tuple[Fact, ...]
    event_id: str
    """The event's short id."""

    @property
    def title(self) -> TextLine:
        """The headline and the subject in one line."""
        return (f"{self.headline}: ", *self.subject)


_STYLES: Final[Mapping[Kind, tuple[Severity, str]]] = MappingProxyType(
    {
        Kind.APPEARED: (Severity.INFO, "🆕"),
        Kind.PROGRESS: (Severity.INFO, "🔵"),
        Kind.SUCCEEDED: (Severity.OK, "🟢"),
        Kind.FAILED: (Severity.ERROR, "🔴"),
        Kind.RESTARTED: (Severity.INFO, "🔁"),
        Kind.UNKNOWN_STATUS: (Severity.WARNING, "❓"),
        Kind.GONE: (Severity.WARNING, "👻"),
        Kind.BACK: (Severity.INFO, "👋"),
        Kind.UNREACHABLE: (Severity.ERROR, "🔌"),
        Kind.DENIED: (Severity.ERROR, "🔒"),
        Kind.THROTTLED: (Severity.WARNING, "🐌"),
        Kind.CLOCK_SKEW: (Severity.ERROR, "⏰"),
        Kind.NOT_FOUND: (Severity.ERROR, "🔍"),
        Kind.RECOVERED: (Severity.OK, "🔭"),
        Kind.STORE_FAILING: (Severity.ERROR, "💾"),
        Kind.STORE_RECOVERED: (Severity.OK, "📀"),
        Kind.RECEIVER_FAILING: (Severity.ERROR, "📵"),
        Kind.RECEIVER_RECOVERED: (Severity.OK, "📶"),
        Kind.UNDELIVERED: (Severity.ERROR, "📪"),
    }
)

_HEADLINES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.APPEARED: "New training",
        Kind.PROGRESS: "Training status changed",
        Kind.SUCCEEDED: "Training completed",
        Kind.FAILED: "Training failed",
        Kind.RESTARTED: "Training restarted",
        Kind.UNKNOWN_STATUS: "Unknown training status",
        Kind.GONE: "Training gone",
        Kind.BACK: "Training back",
        # No word of these may suggest that a training failed.
        Kind.UNREACHABLE: "Unreachable",
        Kind.DENIED: "Access denied",
        Kind.THROTTLED: "Requests throttled",
        Kind.CLOCK_SKEW: "Clocks differ",
        Kind.NOT_FOUND: "Not found at AiTEMS",
        Kind.RECOVERED: "Polling recovered",
        Kind.STORE_FAILING: "Store cannot be written",
        Kind.STORE_RECOVERED: "Store recovered",
        Kind.RECEIVER_FAILING: "Receiver failing",
        Kind.RECEIVER_RECOVERED: "Receiver recovered",
        Kind.UNDELIVERED: "Alerts not delivered",
    }
)

# Headlines that follow the descriptions of the statuses on the page "View training".
_HEADLINES_BY_STATUS: Final[Mapping[tuple[Kind, str], str]] = MappingProxyType(
    {
        (Kind.FAILED, Status.REQUEST_FAILED): "Training request failed",
        (Kind.FAILED, Status.REFINED_FAILED): "Data refinement failed",
        (Kind.PROGRESS, Status.READY): "Training ready",
        (Kind.PROGRESS, Status.REQUESTING): "Training requested",
        (Kind.PROGRESS, Status.WAITING): "Training waiting",
        (Kind.PROGRESS, Status.LEARNING): "Training in progress",
        (Kind.PROGRESS, Status.STOPPING): "Training stopping",
    }
)

_BOUNDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {Kind.GONE: "Disappeared between ", Kind.BACK: "Came back between "}
)


def compose(event: Event) -> Message:
    """Return the message about an event; the same event gives the same message."""
    severity, emoji = _STYLES[event.kind]
    return Message(
        severity=severity,
        emoji=emoji,
        headline=_headline(event),
        subject=subject_line(event),
        lines=(*_lines(event), *fallback_note(event)),
        facts=tuple(_facts(event)),
        event_id=event.short_id,
    )


def repeat_note(event: Event, others: int = 0) -> TextLine:
    """Return the line of a message of which an earlier copy may have arrived.

    ``others`` is the number of further events in the message.
    """
    note = "This may be a repeat: an earlier attempt may have arrived. "
    if others:
        return (f"{note}Events ", Code(event.short_id), f" and {others} more.")
    return (f"{note}Event ", Code(event.short_id), ".")


def subject_line(event: Event) -> TextLine:
    """Return the subject of an event: a training, service, account, store or receiver."""
    if event.receiver is not None:
        return receiver_message.subject_line(event.receiver)
    if event.service is None:
        return incident_message.subject_line(event)
    service = code(event.service_name or event.service)
    if event.version is None:
        return ("service ", service)
    return (service, " · ", code(event.training_type), " · ", code(event.version))


def mark_texts(event: Event) -> tuple[str, ...]:
    """Write every mark of an event in one or two words."""
    return tuple(mark.value.replace("-", " ") for mark in event.marks)


def status_code(status: str | None) -> Code:
    """Return a status as AiTEMS wrote it."""
    return code("(none)" if status is None else status)


def _headline(event: Event) -> str:
    if special := incident_message.headline(event):
        return special
    return _HEADLINES_BY_STATUS.get((event.kind, event.to_status or ""), _HEADLINES[event.kind])


def _lines(event: Event) -> Iterable[TextLine]:
    if event.incident is not None:
        return (*incident_message.lines(event, event.incident), *_restored(event))
    if event.receiver is not None:
        return (*receiver_message.lines(event, event.receiver), *_restored(event))
    return (_change(event), _bounds(event), *_restored(event), *_reservations(event))


def fallback_note(event: Event) -> Iterable[TextLine]:
    """Return the line of a message that a receiver gets in place of a failing one."""
    if event.fallback_for is not None:
        yield ("Sent here because the receiver ", code(event.fallback_for), " is failing.")


def _restored(event: Event) -> Iterable[TextLine]:
    if event.restored:
        yield (RESTORED,)


def _change(event: Event) -> TextLine:
    match event.kind, event.from_status, event.to_status:
        case Kind.GONE, _, _:
            return (f"{event.kind}: was ", status_code(event.from_status), "; two polls in a row did not find it.")
        case Kind.BACK, _, _:
            return (f"{event.kind}: found again; its recorded status is ", status_code(event.to_status), ".")
        case _, None, _:
            return (f"{event.kind}: first seen as ", status_code(event.to_status))
        case _:
            return (f"{event.kind}: ", status_code(event.from_status), " → ", status_code(event.to_status))


def _bounds(event: Event) -> TextLine:
    bounds = Bounds.around(event.after, event.before)
    verb = "Appeared between " if event.new else _BOUNDS.get(event.kind, "Changed between ")
    ending = "; during part of that time the watcher could not poll." if event.late else "."
    return (verb, bounds.after, " and ", bounds.before, ending)


def _reservations(event: Event) -> Iterable[TextLine]:
    if event.skipped:
        yield ("No poll returned the stages between: ", *codes(event.skipped), " (their order is our reading).")
    if event.new:
        yield ("New: this version was not known before.",)
    if not event.confirmed:
        yield (UNCONFIRMED,)
    if Mark.UNKNOWN_STATUS in event.marks:
        yield ("AiTEMS does not document the status ", status_code(event.to_status), ".")
    if event.kind is Kind.FAILED:
        yield ("AiTEMS' API gives no reason for a failure.",)
    if event.kind is Kind.GONE:
        yield ("AiTEMS gives no reason. If somebody deleted it on purpose, there is nothing to do.",)
    if event.kind is Kind.BACK:
        yield ("If its status is different now, a message follows when a second poll confirms it.",)


def _facts(event: Event) -> Iterable[Fact]:
    if event.service is not None:
        yield Fact("Service", (code(event.service),))
    if event.account:
        yield Fact("Account", (code(event.account),))
    if event.receiver is not None:
        yield Fact("Receiver", (code(event.receiver.name),))
    elif event.incident is None:
        yield from _training_facts(event.record)
    else:
        yield Fact("Incident", (incident_message.short_id(event.incident),))
    if event.labels:
        yield Fact("Labels", codes(f"{key}={value}" for key, value in event.labels.items()))
    if event.record.get("description"):
        yield Fact("Description", (code(event.record["description"], DESCRIPTION_LIMIT),))


def _training_facts(record: Mapping[str, object]) -> Iterable[Fact]:
    yield Fact("HPO", _switch(_hpo(record), on="on", off="off"))
    yield Fact("Inference result", _switch(record.get("inference"), on="found", off="none"))
    if record.get("createdDate") is not None:
        yield Fact("Created", (code(record["createdDate"]), " as AiTEMS gave it (zone unknown)"))


def _hpo(record: Mapping[str, object]) -> object:
    settings = record.get("hpConfig")
    return settings.get("is_enabled") if isinstance(settings, Mapping) else settings


def _switch(value: object, *, on: str, off: str) -> TextLine:
    if value is None:
        return ("not given",)
    if isinstance(value, bool):
        return (on if value else off,)
    return (code(value),)
