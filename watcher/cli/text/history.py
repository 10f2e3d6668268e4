"""What was told, as rows for a person and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, WARN, Cell, Table, cell
from watcher.cli.text.times import bounds_text
from watcher.core.delivery.model import State
from watcher.core.event import Event
from watcher.core.messages.published import published_event
from watcher.core.messages.training import Severity, compose, mark_texts, plain_text
from watcher.core.routing.reason import reason_text
from watcher.core.timestamps import to_text

if TYPE_CHECKING:
    from watcher.store.views import DeliveryOutcome, EventHistory

COLUMNS: Final = ("EVENT", "KIND", "ABOUT", "CHANGE", "WHEN (UTC)", "MARKS", "ROUTE", "DELIVERIES")
SEVERITY_STYLES: Final = {Severity.OK: GOOD, Severity.INFO: BUSY, Severity.WARNING: WARN, Severity.ERROR: BAD}
STATE_STYLES: Final = {
    State.DELIVERED: "",
    State.DEAD: BAD,
    State.HELD: BAD,
    State.DROPPED: FAINT,
    State.SILENCED: FAINT,
}


def history_table(entry: Sequence[EventHistory]) -> Table:
    """Return one row an event."""
    return Table(COLUMNS, [_row(item) for item in entry])


def _row(entry: EventHistory) -> tuple[Cell, ...]:
    event, message = entry.event, compose(entry.event)
    return (
        cell(event.short_id),
        cell(event.kind, SEVERITY_STYLES[message.severity]),
        cell(plain_text(message.subject)),
        cell(change_text(event)),
        cell(bounds_text(event.after, event.before)),
        cell(", ".join(marks(event))),
        cell(route_text(entry) or "not routed yet"),
        _deliveries(entry.delivery_outcomes),
    )


def route_text(entry: EventHistory) -> str | None:
    """Write the routes of an event; ``None`` where it is not routed yet."""
    return None if entry.route is None else reason_text(entry.route)


def change_text(event: Event) -> str:
    """Write the move; of a training that is gone what it was, of an incident its cause."""
    if event.incident is not None:
        return event.incident.cause
    if event.receiver is not None:
        return event.receiver.reason
    if event.to_status is None:
        return f"was {event.from_status}"
    return event.to_status if event.from_status is None else f"{event.from_status} -> {event.to_status}"


def marks(event: Event) -> Iterator[str]:
    """Name every reservation about an event."""
    yield from mark_texts(event)
    if event.skipped:
        yield f"not seen: {', '.join(event.skipped)}"


def _deliveries(delivery_outcomes: Sequence[DeliveryOutcome]) -> Cell:
    if not delivery_outcomes:
        return Cell("nobody", FAINT)
    worst = next((style for item in delivery_outcomes if (style := STATE_STYLES.get(item.state, WARN))), "")
    return cell("; ".join(outcome_text(item) for item in delivery_outcomes), worst)


def outcome_text(delivery_outcome: DeliveryOutcome) -> str:
    """Write how an event fared with one receiver; where it is not delivered, with the reason."""
    text = f"{delivery_outcome.receiver}: {delivery_outcome.state}"
    if delivery_outcome.state is State.DELIVERED:
        return text
    return f"{text} ({delivery_outcome.reason})" if delivery_outcome.reason else text


def event_history_json(entry: EventHistory) -> dict[str, object]:
    """Return an event as the store has it, with its route and deliveries."""
    return {
        **published_event(entry.event),
        "routed_at": None if entry.routed_at is None else to_text(entry.routed_at),
        "route": route_text(entry),
        "deliveries": [_outcome_json(item) for item in entry.delivery_outcomes],
    }


def _outcome_json(delivery_outcome: DeliveryOutcome) -> dict[str, object]:
    return {
        "receiver": delivery_outcome.receiver,
        "receiver_seq": delivery_outcome.receiver_seq,
        "delivery_id": delivery_outcome.delivery_id,
        "state": delivery_outcome.state.value,
        "reason": delivery_outcome.reason,
        "attempts": delivery_outcome.attempts,
        "settled_at": None if delivery_outcome.settled_at is None else to_text(delivery_outcome.settled_at),
        "answer": delivery_outcome.answer,
    }
