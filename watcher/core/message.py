"""What a person is told about an event: headline, lines and facts, neutral to the medium that shows them.

The words are ours; whatever came from AiTEMS or the configuration stands in a ``Code`` piece, so that a renderer
can set it apart and escape it for its own medium. Times stay times, so that Slack can show them in the reader's zone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind
from watcher.core.moment import from_text, require_utc
from watcher.core.training import Phase, Status, phase_of

WORD_LIMIT: Final = 100
"""Characters of an id, a name or a status word that are shown."""
DESCRIPTION_LIMIT: Final = 300
ADVICE_LIMIT: Final = 400
LOOKED_AT: Final = 4_000
"""Characters of a text from outside that are looked at; more could hold up everything else."""
LIST_LIMIT: Final = 8
"""Labels or stages that are shown of one event."""


class Severity(StrEnum):
    """How much a message wants to be seen."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Code:
    """A text that came from outside: one line, without control characters, never empty."""

    text: str


Piece = str | Code | datetime
Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value below the lines."""

    label: str
    value: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event in words."""

    severity: Severity
    emoji: str
    headline: str
    """What happened, in our own words alone."""
    subject: Line
    """Which training."""
    lines: tuple[Line, ...]
    """What changed, between when and when, and every reservation about it."""
    facts: tuple[Fact, ...]
    event_id: str
    """The event's short id."""

    @property
    def title(self) -> Line:
        """The headline and the training in one line."""
        return (f"{self.headline}: ", *self.subject)


_LOOKS: Final[Mapping[Kind, tuple[Severity, str]]] = MappingProxyType(
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
        Kind.CLOCK_SKEW: (Severity.ERROR, "🕰"),
        Kind.NOT_FOUND: (Severity.ERROR, "🕳"),
        Kind.REACHABLE: (Severity.OK, "🔭"),
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
        Kind.UNREACHABLE: "AiTEMS cannot be reached",
        Kind.DENIED: "AiTEMS denies us access",
        Kind.THROTTLED: "AiTEMS throttles us",
        Kind.CLOCK_SKEW: "The clocks disagree",
        Kind.NOT_FOUND: "Not found at AiTEMS",
        Kind.REACHABLE: "AiTEMS can be seen again",
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


def compose(event: Event) -> Message:
    """Return what a person is told about ``event``; the same event gives the same message."""
    severity, emoji = _LOOKS[event.kind]
    return Message(
        severity=severity,
        emoji=emoji,
        headline=_HEADLINES_BY_STATUS.get((event.kind, event.to_status or ""), _HEADLINES[event.kind]),
        subject=_subject(event),
        lines=tuple(_lines(event)),
        facts=tuple(_facts(event)),
        event_id=event.short_id,
    )


def repeat_note(event: Event) -> Line:
    """Return the line that a message carries where an earlier copy of it may have arrived."""
    return ("This may be a repeat: whether an earlier attempt arrived is not known. Event ", Code(event.short_id), ".")


def plain_text(line: Line) -> str:
    """Return a line without any markup, times in UTC."""
    return "".join(_plain_piece(piece) for piece in line)


def utc_text(moment: datetime) -> str:
    """Write a time for people, to the second, e.g. ``2026-11-23 02:20:11 UTC``."""
    return f"{require_utc(moment):%Y-%m-%d %H:%M:%S} UTC"


def _plain_piece(piece: Piece) -> str:
    if isinstance(piece, datetime):
        return utc_text(piece)
    return piece.text if isinstance(piece, Code) else piece


# Text from outside.

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
_JOINERS: Final = "\u200c\u200d"
"""Format characters that scripts and emoji need; the others reorder or hide text."""


def one_line(text: str, limit: int) -> str:
    """Return text from outside as one line of at most ``limit`` characters that can be shown anywhere.

    Terminal sequences, control characters and those that reorder or hide text are removed, lone surrogates are
    replaced, white space is folded, and what is too long is cut with a note of how much.
    """
    visible = "".join(map(_visible, _ESCAPE_SEQUENCE.sub("", text[:LOOKED_AT])))
    return cut(" ".join(visible.split()), limit, beyond=len(text[LOOKED_AT:]))


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case "Cc" | "Zl" | "Zp":
            return " " if character.isspace() else ""
        case "Cf":
            return character if character in _JOINERS else ""
        case _:
            return character


def cut(text: str, limit: int, *, beyond: int = 0) -> str:
    """Return ``text`` in at most ``limit`` characters; what was left out is counted at the end.

    ``beyond`` counts characters that were left out before and makes a note certain.
    """
    if len(text) <= limit and not beyond:
        return text
    keep = max(0, limit - len(cut_note(len(text) + beyond)))
    return (text[:keep] + cut_note(len(text[keep:]) + beyond))[:limit]


def cut_note(left_out: int) -> str:
    """Return the mark at the end of a text of which ``left_out`` characters are not shown."""
    return f"… (cut, {left_out} more)"


def _code(value: object, limit: int = WORD_LIMIT) -> Code:
    text = str(value) if isinstance(value, str | int | float) else "(not a plain value)"
    return Code(one_line(text, limit) or "(empty)")


# The parts of a message.


def _subject(event: Event) -> Line:
    if event.service is None:
        return ("account ", _code(event.account))
    service = _code(event.service_name or event.service)
    if event.version is None:
        return ("service ", service)
    return (service, " · ", _code(event.training_type), " · ", _code(event.version))


def _lines(event: Event) -> Iterable[Line]:
    if event.incident is not None:
        return _incident_lines(event.incident)
    return (_change(event), _bounds(event), *_reservations(event))


def _change(event: Event) -> Line:
    if event.to_status is None:
        return (f"{event.kind}: was ", _code(event.from_status), ", and two looks in a row did not find it.")
    if event.from_status is None:
        return (f"{event.kind}: first seen as ", _code(event.to_status))
    if event.kind is Kind.BACK:
        return (f"{event.kind}: found again; it was recorded as ", _code(event.to_status))
    return (f"{event.kind}: ", _code(event.from_status), " → ", _code(event.to_status))


def _incident_lines(incident: Mapping[str, object]) -> Iterable[Line]:
    since = from_text(str(incident["since"]))
    lasted = incident.get("lasted_seconds")
    if isinstance(lasted, int | float):
        yield (f"Could not be seen for {_span(lasted)}, since ", since, ". Cause: ", _code(incident.get("cause")), ".")
        yield ("What changed meanwhile is told after this.",)
        return
    yield ("Cause: ", _code(incident.get("cause")), ": ", _code(incident.get("detail"), DESCRIPTION_LIMIT))
    yield ("Not seen since ", since, *_last_good(incident.get("last_good_at")))
    yield ("What to do: ", _code(incident.get("advice"), ADVICE_LIMIT))
    yield ("Trainings keep their last known status; nothing says that one of them failed.",)


def _last_good(moment: object) -> Line:
    return ("; never seen before.",) if moment is None else ("; seen last at ", from_text(str(moment)), ".")


def _span(seconds: float) -> str:
    """Write a span for people in its two largest units, e.g. ``12 h 3 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def _bounds(event: Event) -> Line:
    # Whole seconds, rounded outwards: what is said stays true.
    after = event.after.replace(microsecond=0)
    before = event.before.replace(microsecond=0)
    before += timedelta(seconds=1) if event.before.microsecond else timedelta()
    verb = "Came up" if event.new else "Changed"
    ending = "; for a part of that time the watcher could not look." if event.late else "."
    return (f"{verb} between ", after, " and ", before, ending)


def _reservations(event: Event) -> Iterable[Line]:
    if event.skipped:
        yield ("Not seen on the way: ", *_listed(event.skipped), " (the order of the stages is our reading).")
    if event.new:
        yield ("New: this version was not known before.",)
    if not event.confirmed:
        yield ("Unconfirmed: a list showed it, and no second answer has repeated it yet.",)
    if event.to_status is not None and phase_of(event.to_status) is Phase.UNKNOWN:
        yield ("AiTEMS' documents do not have the status ", _code(event.to_status), "; it is shown as it came.")
    if event.kind is Kind.FAILED:
        yield ("AiTEMS' API gives no reason for a failure.",)


def _facts(event: Event) -> Iterable[Fact]:
    record = event.record
    if event.service is not None:
        yield Fact("Service", (_code(event.service),))
    yield Fact("Account", (_code(event.account),))
    if event.incident is not None:
        yield Fact("Incident", (_code(event.incident.get("id")),))
        yield from _labels(event)
        return
    yield Fact("HPO", _switch(_hpo(record), on="on", off="off"))
    yield Fact("Inference result", _switch(record.get("inference"), on="found", off="none"))
    if record.get("createdDate") is not None:
        yield Fact("Created", (_code(record["createdDate"]), " as AiTEMS gave it (zone unknown)"))
    yield from _labels(event)
    if record.get("description"):
        yield Fact("Description", (_code(record["description"], DESCRIPTION_LIMIT),))


def _labels(event: Event) -> Iterable[Fact]:
    if event.labels:
        yield Fact("Labels", _listed(f"{key}={value}" for key, value in event.labels.items()))


def _hpo(record: Mapping[str, object]) -> object:
    settings = record.get("hpConfig")
    return settings.get("is_enabled") if isinstance(settings, Mapping) else settings


def _switch(value: object, *, on: str, off: str) -> Line:
    if value is None:
        return ("not given",)
    if isinstance(value, bool):
        return (on if value else off,)
    return (_code(value),)


def _listed(words: Iterable[str]) -> Line:
    every = list(words)
    shown = [piece for word in every[:LIST_LIMIT] for piece in (", ", _code(word))]
    more = len(every) - LIST_LIMIT
    return (*shown[1:], cut_note(more)) if more > 0 else tuple(shown[1:])
