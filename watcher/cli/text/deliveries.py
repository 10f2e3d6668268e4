"""Deliveries as tables and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from watcher.cli.text.history import compared, style_of
from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, FAINT, GOOD, WARN, Screen, cell
from watcher.cli.text.silence import silence_text
from watcher.cli.text.times import LocalTimes
from watcher.core.delivery.state import State
from watcher.core.event import SHORT_ID_LENGTH
from watcher.core.messages.message import Style
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.training import compose, plain_text
from watcher.core.plural import counted
from watcher.reports.actions import action_text
from watcher.reports.deliveries import events_text, shown_reason

if TYPE_CHECKING:
    from watcher.core.routing.silence import Silence
    from watcher.store.delivery.views import DeliveryView

TEXT_WIDTH: Final = 24
"""The least columns of a text; the rest needs ``--wide``."""
STYLES: Final = {
    State.DELIVERED: GOOD,
    State.DEAD: BAD,
    State.HELD: BAD,
    State.DROPPED: FAINT,
    State.SILENCED: FAINT,
}


def delivery_table(deliveries: Sequence[DeliveryView], times: LocalTimes, *, several_accounts: bool = False) -> Table:
    """Return one row per delivery; services are named with their accounts where there are several."""
    columns = (
        *("DELIVERY", "RECEIVER", "STATE"),
        Column("REASON", least=TEXT_WIDTH),
        Column("ABOUT", least=TEXT_WIDTH, omitted=4),
        Column(times.heading("CREATED"), omitted=2),
        Column("ATTEMPTS", omitted=1),
        Column(times.heading("NEXT ATTEMPT"), omitted=3),
    )
    style = style_of((event for delivery in deliveries for event in delivery.events), several_accounts=several_accounts)
    return Table(columns, [_row(delivery, times, style) for delivery in deliveries])


def _row(delivery: DeliveryView, times: LocalTimes, style: Style) -> tuple[Cell, ...]:
    return (
        cell(delivery.id[:SHORT_ID_LENGTH]),
        cell(delivery.receiver),
        cell(delivery.state, STYLES.get(delivery.state, WARN)),
        cell(reason_text(shown_reason(delivery))),
        cell(events_text(delivery.events, style)),
        Cell(times.time(delivery.created_at)),
        cell(delivery.attempts),
        Cell("" if delivery.next_at is None else times.time(delivery.next_at)),
    )


def print_delivery(delivery: DeliveryView, times: LocalTimes, out: Screen, silence: Silence | None = None) -> None:
    """Write everything about one delivery, then the command that sends it again."""
    out.line("delivery  ", cell(delivery.id))
    out.line("receiver  ", cell(delivery.receiver))
    out.line("state     ", cell(delivery.state, STYLES.get(delivery.state, WARN)))
    for label, text in _facts(delivery, times):
        if text:
            out.line(f"{label:<10}", cell(text))
    if silence is not None:
        out.line("silence   ", cell(silence_text(silence, times)))
    for event in delivery.events:
        message = compose(event)
        out.line("event     ", cell(f"{event.short_id} {plain_text(message.title)}"))
        for text in compared(event, message, times):
            out.line("          ", cell(text))
    if delivery.state in {State.DEAD, State.HELD}:
        out.line()
        out.line(cell(f"send it again: aitems-watcher deliveries retry {delivery.id[:SHORT_ID_LENGTH]}"))


def _facts(delivery: DeliveryView, times: LocalTimes) -> Sequence[tuple[str, str]]:
    def optional(time: datetime | None) -> str:
        return "" if time is None else times.full(time)

    return (
        ("reason", reason_text(shown_reason(delivery))),
        ("answer", delivery.answer or ""),
        ("created", times.full(delivery.created_at)),
        ("attempts", f"{delivery.attempts}{', may have arrived before' if delivery.may_be_repeat else ''}"),
        ("attempted", optional(delivery.attempted_at)),
        ("next", optional(delivery.next_at)),
        ("ended", optional(delivery.settled_at)),
        *(("action", f"{action_text(action)}, {times.full(action.at)}") for action in delivery.actions),
    )


def show_changes(answer: Mapping[str, object], out: Screen) -> None:
    """Write the change of each delivery."""
    changed = answer.get("deliveries")
    changes = [item for item in changed if isinstance(item, Mapping)] if isinstance(changed, Sequence) else []
    for item in changes:
        identity = str(item.get("id"))[:SHORT_ID_LENGTH]
        out.line(cell(f"{identity} to {item.get('receiver')}: {_change_text(item)}"))
    out.line(counted(len(changes), "delivery", "deliveries"))


def _change_text(change: Mapping[str, object]) -> str:
    before, after = change.get("before"), change.get("after")
    if after == State.DEAD:
        return "stays dead: its receiver is not in the configuration"
    return f"was {before}, is {after}"
