"""Events, their marks and their deliveries as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, WARN, cell
from watcher.cli.text.times import LocalTimes
from watcher.core.delivery.model import State
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.training import Severity, compose, mark_texts, plain_text
from watcher.reports.history import route_text

if TYPE_CHECKING:
    from watcher.store.views import DeliveryOutcome, EventHistory

TEXT_WIDTH: Final = 20
"""The least columns of a text; the rest needs ``--wide``."""
SEVERITY_STYLES: Final = {Severity.OK: GOOD, Severity.INFO: BUSY, Severity.WARNING: WARN, Severity.ERROR: BAD}
STATE_STYLES: Final = {
    State.DELIVERED: "",
    State.DEAD: BAD,
    State.HELD: BAD,
    State.DROPPED: FAINT,
    State.SILENCED: FAINT,
}


def history_table(entries: Sequence[EventHistory], times: LocalTimes) -> Table:
    """Return one row per event."""
    columns = (
        *(times.heading("WHEN"), "KIND", "ABOUT", "EVENT", "CHANGE"),
        Column("MARKS", least=TEXT_WIDTH),
        Column("DELIVERIES", least=TEXT_WIDTH),
        Column("ROUTE", omitted=1),
    )
    return Table(columns, [_row(entry, times) for entry in entries])


def _row(entry: EventHistory, times: LocalTimes) -> tuple[Cell, ...]:
    event, message = entry.event, compose(entry.event)
    return (
        Cell(times.bounds(event.after, event.before)),
        cell(event.kind, SEVERITY_STYLES[message.severity]),
        cell(plain_text(message.subject)),
        cell(event.short_id),
        cell(change_text(event)),
        cell(", ".join(marks(event))),
        _deliveries(entry.delivery_outcomes),
        cell(route_text(entry) or "not routed yet"),
    )


def change_text(event: Event) -> str:
    """Write the transition, the last status of a training that is gone, or the cause of an incident."""
    if event.incident is not None:
        return event.incident.cause
    if event.receiver is not None:
        return reason_text(event.receiver.reason)
    if event.to_status is None:
        return f"was {event.from_status}"
    return event.to_status if event.from_status is None else f"{event.from_status} -> {event.to_status}"


def marks(event: Event) -> Iterator[str]:
    """Return the marks of an event, such as ``late``, and the stages that no poll returned."""
    yield from mark_texts(event)
    if event.skipped:
        yield f"not seen: {', '.join(event.skipped)}"


def _deliveries(delivery_outcomes: Sequence[DeliveryOutcome]) -> Cell:
    if not delivery_outcomes:
        return Cell("none", FAINT)
    worst = next((style for item in delivery_outcomes if (style := STATE_STYLES.get(item.state, WARN))), "")
    return cell("; ".join(outcome_text(item) for item in delivery_outcomes), worst)


def outcome_text(delivery_outcome: DeliveryOutcome) -> str:
    """Write the state of an event at one receiver, with the reason if it was not delivered."""
    text = f"{delivery_outcome.receiver}: {delivery_outcome.state}"
    if delivery_outcome.state is State.DELIVERED:
        return text
    reason = reason_text(delivery_outcome.reason)
    return f"{text} ({reason})" if reason else text
