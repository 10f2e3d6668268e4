"""Deliveries as rows and lines for a person, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from watcher.cli.text.output import BAD, FAINT, GOOD, WARN, Cell, Screen, Table, cell
from watcher.cli.text.silence import silence_text
from watcher.cli.text.times import moment_text
from watcher.core.delivery.model import State
from watcher.core.event import SHORT_ID_LENGTH, Event
from watcher.core.messages.training import compose, plain_text
from watcher.core.plural import counted
from watcher.core.timestamps import to_text

if TYPE_CHECKING:
    from watcher.core.routing.silence import Silence
    from watcher.store.delivery_views import Letter

COLUMNS: Final = ("DELIVERY", "RECEIVER", "STATE", "ABOUT", "MADE (UTC)", "ATTEMPTS", "NEXT TRY (UTC)", "REASON")
STYLES: Final = {
    State.DELIVERED: GOOD,
    State.DEAD: BAD,
    State.HELD: BAD,
    State.DROPPED: FAINT,
    State.SILENCED: FAINT,
}


def letter_table(letters: Sequence[Letter]) -> Table:
    """Return one row a delivery."""
    return Table(COLUMNS, [_row(letter) for letter in letters])


def _row(letter: Letter) -> tuple[Cell, ...]:
    return (
        cell(letter.id[:SHORT_ID_LENGTH]),
        cell(letter.receiver),
        cell(letter.state, STYLES.get(letter.state, WARN)),
        cell(_about(letter.events)),
        cell(moment_text(letter.created_at)),
        cell(letter.attempts),
        cell(_optional(letter.next_at)),
        cell(letter.reason),
    )


def _about(events: Sequence[Event]) -> str:
    if not events:
        return ""
    more = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return f"{plain_text(compose(events[0]).title)}{more}"


def _optional(moment: datetime | None) -> str:
    return "" if moment is None else moment_text(moment)


def show_letter(letter: Letter, out: Screen, silence: Silence | None = None) -> None:
    """Write everything about one delivery, then what can be done with it."""
    out.line("delivery  ", cell(letter.id))
    out.line("receiver  ", cell(letter.receiver))
    out.line("state     ", cell(letter.state, STYLES.get(letter.state, WARN)))
    for label, text in _facts(letter):
        if text:
            out.line(f"{label:<10}", cell(text))
    if silence is not None:
        out.line("silence   ", cell(silence_text(silence)))
    for event in letter.events:
        out.line("event     ", cell(f"{event.short_id} {plain_text(compose(event).title)}"))
    if letter.state in {State.DEAD, State.HELD}:
        out.line()
        out.line(cell(f"send it again: aitems-watcher deliveries retry {letter.id[:SHORT_ID_LENGTH]}"))


def _facts(letter: Letter) -> Sequence[tuple[str, str]]:
    return (
        ("reason", letter.reason),
        ("answer", letter.answer or ""),
        ("made", f"{moment_text(letter.created_at)} UTC"),
        ("attempts", f"{letter.attempts}{', may have arrived before' if letter.may_be_repeat else ''}"),
        ("latest", _optional(letter.attempted_at)),
        ("next try", _optional(letter.next_at)),
        ("ended", _optional(letter.settled_at)),
    )


def letter_json(letter: Letter) -> dict[str, object]:
    """Return a delivery for programs."""
    return {
        "id": letter.id,
        "receiver": letter.receiver,
        "state": letter.state.value,
        "reason": letter.reason,
        "answer": letter.answer,
        "attempts": letter.attempts,
        "may_be_repeat": letter.may_be_repeat,
        "created_at": to_text(letter.created_at),
        "attempted_at": _moment_json(letter.attempted_at),
        "next_at": _moment_json(letter.next_at),
        "settled_at": _moment_json(letter.settled_at),
        "about": _about(letter.events),
        "event_ids": [event.id for event in letter.events],
    }


def _moment_json(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def show_changes(answer: Mapping[str, object], out: Screen) -> None:
    """Write what was done to each delivery."""
    changed = answer.get("deliveries")
    changes = [item for item in changed if isinstance(item, Mapping)] if isinstance(changed, Sequence) else []
    for item in changes:
        identity = str(item.get("id"))[:SHORT_ID_LENGTH]
        out.line(cell(f"{identity} to {item.get('receiver')}: {_change_in_words(item)}"))
    out.line(counted(len(changes), "delivery", "deliveries"))


def _change_in_words(change: Mapping[str, object]) -> str:
    before, after = change.get("before"), change.get("after")
    if after == State.DEAD:
        return "stays dead, since its receiver is not in the configuration"
    return f"was {before}, is {after}"
