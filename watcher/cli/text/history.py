"""Events, their marks and their deliveries as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, WARN, cell
from watcher.cli.text.times import LocalTimes
from watcher.core.delivery.state import NEEDS_OPERATOR, State
from watcher.core.event import Event
from watcher.core.messages.language.words import ENGLISH_WORDS
from watcher.core.messages.message import Message, Style
from watcher.core.messages.reasons import cause_text, reason_text
from watcher.core.messages.training import Severity, compose, mark_texts, plain_text
from watcher.core.training.absence import Missing
from watcher.reports.actions import reasons_text
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


def history_table(entries: Sequence[EventHistory], times: LocalTimes, *, several_accounts: bool = False) -> Table:
    """Return one row per event; services are named with their accounts where there are several."""
    columns = (
        *(times.heading("WHEN"), "KIND", "ABOUT", "EVENT", "CHANGE"),
        Column("MARKS", least=TEXT_WIDTH),
        Column("COMPARED", omitted=1),
        Column("DELIVERIES", least=TEXT_WIDTH),
        Column("ROUTE", omitted=2),
    )
    style = style_of((entry.event for entry in entries), several_accounts=several_accounts)
    return Table(columns, [_row(entry, times, style) for entry in entries])


def style_of(events: Iterable[Event], *, several_accounts: bool) -> Style:
    """Return the style of texts about these events: with their accounts where there are several, also among them."""
    accounts = {event.account for event in events if event.account}
    return Style(several_accounts=several_accounts or len(accounts) > 1)


def _row(entry: EventHistory, times: LocalTimes, style: Style) -> tuple[Cell, ...]:
    event, message = entry.event, compose(entry.event, style)
    return (
        Cell(times.bounds(event.after, event.before)),
        cell(event.kind, SEVERITY_STYLES[message.severity]),
        cell(plain_text(message.subject)),
        cell(event.short_id),
        cell(change_text(event)),
        cell(", ".join(marks(event))),
        cell("; ".join(compared(event, message, times))),
        _deliveries(entry.delivery_outcomes),
        cell(route_text(entry) or "not routed yet"),
    )


def change_text(event: Event) -> str:
    """Write the transition, the last status of a training that is gone, an absence, or the cause of an incident."""
    if event.incident is not None:
        return event.incident.cause
    if event.receiver is not None:
        recovered = event.receiver.lasted_seconds is not None
        return cause_text(event.receiver.reason) if recovered else reason_text(event.receiver.reason)
    if event.overdue is not None:
        return "no new training" if event.overdue.missing is Missing.START else "none completed"
    if event.update is not None:
        return f"update {event.update.version}: {event.update.status}"
    return "no inference result" if event.unusable is not None else _transition(event)


def _transition(event: Event) -> str:
    if event.to_status is None:
        return "" if event.from_status is None else f"was {event.from_status}"
    return event.to_status if event.from_status is None else f"{event.from_status} -> {event.to_status}"


def marks(event: Event) -> Iterator[str]:
    """Return the marks of an event, such as ``late``, and the stages that no poll returned."""
    yield from mark_texts(event)
    if event.skipped:
        yield f"not seen: {', '.join(event.skipped)}"


def compared(event: Event, message: Message, times: LocalTimes) -> list[str]:
    """Write the facts that set an event beside earlier runs, as its message has them; none where it has none."""
    if event.comparison is None and event.stuck is None and event.overdue is None:
        return []
    zone = times.now.astimezone(times.zone).tzinfo or UTC
    # The remedy for an absence is the same each time.
    lines = message.preview or () if event.overdue is not None else message.facts or message.preview or ()
    return [plain_text(line) for line in ENGLISH_WORDS.with_times(lines, times.now, zone)]


def _deliveries(delivery_outcomes: Sequence[DeliveryOutcome]) -> Cell:
    """Write the receivers by state, the state first and the worst ones first: a narrow table cuts the end."""
    if not delivery_outcomes:
        return Cell("none", FAINT)
    by_state: dict[State, list[str]] = {}
    for item in sorted(delivery_outcomes, key=lambda item: (_gravity(item.state), item.receiver)):
        by_state.setdefault(item.state, []).append(_receiver_text(item))
    worst = next((style for state in by_state if (style := STATE_STYLES.get(state, WARN))), "")
    return cell("; ".join(f"{state}: {', '.join(receivers)}" for state, receivers in by_state.items()), worst)


def _gravity(state: State) -> int:
    if state in NEEDS_OPERATOR:
        return 0
    return 2 if state in STATE_STYLES else 1


def _receiver_text(delivery_outcome: DeliveryOutcome) -> str:
    """Name a receiver, with the reason if the event was not delivered, and who retried or dropped it."""
    reason = "" if delivery_outcome.state is State.DELIVERED else reason_text(delivery_outcome.reason)
    text = reasons_text(reason, delivery_outcome.actions)
    return f"{delivery_outcome.receiver} ({text})" if text else delivery_outcome.receiver
