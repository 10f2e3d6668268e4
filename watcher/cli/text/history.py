"""What was told, as rows for a person and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, WARN, Cell, Table, cell
from watcher.cli.text.times import bounds_text
from watcher.core.delivery.model import State
from watcher.core.event import Event, Kind, to_json
from watcher.core.messages.training import Severity, compose, plain_text
from watcher.core.timestamps import to_text

if TYPE_CHECKING:
    from watcher.store.views import Handover, Told

COLUMNS: Final = ("EVENT", "KIND", "ABOUT", "CHANGE", "WHEN (UTC)", "MARKS", "ROUTE", "DELIVERIES")
SEVERITY_STYLES: Final = {Severity.OK: GOOD, Severity.INFO: BUSY, Severity.WARNING: WARN, Severity.ERROR: BAD}
STATE_STYLES: Final = {
    State.DELIVERED: "",
    State.DEAD: BAD,
    State.HELD: BAD,
    State.DROPPED: FAINT,
    State.SILENCED: FAINT,
}


def history_table(told: Sequence[Told]) -> Table:
    """Return one row an event."""
    return Table(COLUMNS, [_row(item) for item in told])


def _row(told: Told) -> tuple[Cell, ...]:
    event, message = told.event, compose(told.event)
    return (
        cell(event.short_id),
        cell(event.kind, SEVERITY_STYLES[message.severity]),
        cell(plain_text(message.subject)),
        cell(change_text(event)),
        cell(bounds_text(event.after, event.before)),
        cell(", ".join(marks(event))),
        cell(told.route or "not routed yet"),
        _deliveries(told.handovers),
    )


def change_text(event: Event) -> str:
    """Write the move; of a training that is gone what it was, of an incident its cause."""
    if event.incident is not None:
        return str(event.incident.get("cause") or "")
    if event.receiver is not None:
        return str(event.receiver.get("reason") or "")
    if event.to_status is None:
        return f"was {event.from_status}"
    return event.to_status if event.from_status is None else f"{event.from_status} -> {event.to_status}"


def marks(event: Event) -> Iterator[str]:
    """Name every reservation about an event."""
    if event.late:
        yield "late"
    if event.restored:
        yield "restored"
    if event.new:
        yield "new"
    if not event.confirmed:
        yield "unconfirmed"
    if event.kind is Kind.UNKNOWN_STATUS:
        yield "unknown status"
    if event.skipped:
        yield f"not seen: {', '.join(event.skipped)}"


def _deliveries(handovers: Sequence[Handover]) -> Cell:
    if not handovers:
        return Cell("nobody", FAINT)
    worst = next((style for item in handovers if (style := STATE_STYLES.get(item.state, WARN))), "")
    return cell("; ".join(handover_text(item) for item in handovers), worst)


def handover_text(handover: Handover) -> str:
    """Write how an event fared with one receiver; where it is not delivered, with the reason."""
    text = f"{handover.receiver}: {handover.state}"
    if handover.state is State.DELIVERED:
        return text
    return f"{text} ({handover.reason})" if handover.reason else text


def told_json(told: Told) -> dict[str, object]:
    """Return an event as the store has it, with its route and deliveries."""
    return {
        **to_json(told.event),
        "routed_at": None if told.routed_at is None else to_text(told.routed_at),
        "route": told.route,
        "deliveries": [_handover_json(item) for item in told.handovers],
    }


def _handover_json(handover: Handover) -> dict[str, object]:
    return {
        "receiver": handover.receiver,
        "receiver_seq": handover.receiver_seq,
        "delivery_id": handover.delivery_id,
        "state": handover.state.value,
        "reason": handover.reason,
        "attempts": handover.attempts,
        "settled_at": None if handover.settled_at is None else to_text(handover.settled_at),
        "answer": handover.answer,
    }
