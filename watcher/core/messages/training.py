"""What a person is told about an event: headline, lines and facts, neutral to the medium that shows them.

What is said of several events at once stands in ``group_message``, the lines about an incident in ``incident_message``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind
from watcher.core.messages import incident as incident_message
from watcher.core.messages import receiver as receiver_message
from watcher.core.messages.text import Bounds, Code, TextLine, code, codes, one_line, plain_text
from watcher.core.training.model import Phase, Status, phase_of

__all__ = [
    "Fact",
    "Message",
    "Severity",
    "compose",
    "one_line",
    "plain_text",
    "repeat_note",
    "status_code",
    "subject_line",
]

RESTORED: Final = "You may know this already: the watcher's store was restored from an older copy."
DESCRIPTION_LIMIT: Final = 300
"""Characters of a training's description that are shown."""


class Severity(StrEnum):
    """How much a message wants to be seen, from the least on."""

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
    """An event in words."""

    severity: Severity
    emoji: str
    headline: str
    """What happened, in our own words alone."""
    subject: TextLine
    """Which training, service or account."""
    lines: tuple[TextLine, ...]
    """What changed, between when and when, and every reservation about it."""
    facts: tuple[Fact, ...]
    event_id: str
    """The event's short id."""

    @property
    def title(self) -> TextLine:
        """The headline and the training in one line."""
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
        # Not one word of these may read as if a training had failed.
        Kind.UNREACHABLE: "Watcher cannot see",
        Kind.DENIED: "Watcher is denied access",
        Kind.THROTTLED: "Watcher is throttled",
        Kind.CLOCK_SKEW: "Clocks disagree",
        Kind.NOT_FOUND: "Not found at AiTEMS",
        Kind.RECOVERED: "Watcher can see again",
        Kind.STORE_FAILING: "Watcher cannot keep what it sees",
        Kind.STORE_RECOVERED: "Watcher can keep what it sees again",
        Kind.RECEIVER_FAILING: "Receiver refuses alerts",
        Kind.RECEIVER_RECOVERED: "Receiver takes alerts again",
        Kind.UNDELIVERED: "Alerts not delivered",
    }
)

# The page "View training" tells the three failures and the stages apart in these words.
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

_BOUNDS: Final[Mapping[Kind, str]] = MappingProxyType({Kind.GONE: "Vanished between ", Kind.BACK: "Came back between "})


def compose(event: Event) -> Message:
    """Return what a person is told about ``event``; the same event gives the same message."""
    severity, emoji = _STYLES[event.kind]
    return Message(
        severity=severity,
        emoji=emoji,
        headline=_headline(event),
        subject=subject_line(event),
        lines=tuple(_lines(event)),
        facts=tuple(_facts(event)),
        event_id=event.short_id,
    )


def repeat_note(event: Event, others: int = 0) -> TextLine:
    """Return the line that a message carries where an earlier copy of it may have arrived.

    ``others`` is how many more events the message tells.
    """
    note = "This may be a repeat: whether an earlier attempt arrived is not known. "
    if others:
        return (f"{note}Events ", Code(event.short_id), f" and {others} more.")
    return (f"{note}Event ", Code(event.short_id), ".")


def subject_line(event: Event) -> TextLine:
    """Return what an event is about."""
    if event.receiver is not None:
        return receiver_message.subject_line(event)
    if event.service is None:
        return incident_message.subject_line(event)
    service = code(event.service_name or event.service)
    if event.version is None:
        return ("service ", service)
    return (service, " · ", code(event.training_type), " · ", code(event.version))


def status_code(word: str | None) -> Code:
    """Return a status word as it came."""
    return code("(none)" if word is None else word)


def _headline(event: Event) -> str:
    if words := incident_message.headline(event):
        return words
    return _HEADLINES_BY_STATUS.get((event.kind, event.to_status or ""), _HEADLINES[event.kind])


def _lines(event: Event) -> Iterable[TextLine]:
    if event.incident is not None:
        return (*incident_message.lines(event), *_restored(event))
    if event.receiver is not None:
        return (*receiver_message.lines(event), *_restored(event))
    return (_change(event), _bounds(event), *_restored(event), *_reservations(event))


def _restored(event: Event) -> Iterable[TextLine]:
    if event.restored:
        yield (RESTORED,)


def _change(event: Event) -> TextLine:
    match event.kind, event.from_status, event.to_status:
        case Kind.GONE, _, _:
            return (f"{event.kind}: was ", status_code(event.from_status), "; two looks in a row did not find it.")
        case Kind.BACK, _, _:
            return (f"{event.kind}: found again; its recorded status is ", status_code(event.to_status), ".")
        case _, None, _:
            return (f"{event.kind}: first seen as ", status_code(event.to_status))
        case _:
            return (f"{event.kind}: ", status_code(event.from_status), " → ", status_code(event.to_status))


def _bounds(event: Event) -> TextLine:
    bounds = Bounds.around(event.after, event.before)
    verb = "Came up between " if event.new else _BOUNDS.get(event.kind, "Changed between ")
    ending = "; for a part of that time the watcher could not look." if event.late else "."
    return (verb, bounds.after, " and ", bounds.before, ending)


def _reservations(event: Event) -> Iterable[TextLine]:
    if event.skipped:
        yield ("Not seen on the way: ", *codes(event.skipped), " (the order of the stages is our reading).")
    if event.new:
        yield ("New: this version was not known before.",)
    if not event.confirmed:
        yield ("Unconfirmed: a list showed it, and no second answer has repeated it yet.",)
    if event.to_status is not None and phase_of(event.to_status) is Phase.UNKNOWN:
        yield ("AiTEMS' documents do not have the status ", code(event.to_status), "; it is shown as it came.")
    if event.kind is Kind.FAILED:
        yield ("AiTEMS' API gives no reason for a failure.",)
    if event.kind is Kind.GONE:
        yield ("What became of it is not known. If it was deleted on purpose, there is nothing to do.",)
    if event.kind is Kind.BACK:
        yield ("If it has another status now, that is told when a second look repeats it.",)


def _facts(event: Event) -> Iterable[Fact]:
    if event.service is not None:
        yield Fact("Service", (code(event.service),))
    if event.account:
        yield Fact("Account", (code(event.account),))
    if event.receiver is not None:
        yield Fact("Receiver", (code(event.receiver.get("name")),))
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
