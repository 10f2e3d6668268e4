"""Deliveries as tables and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from watcher.cli.text.output import BAD, FAINT, GOOD, WARN, Cell, Screen, Table, cell
from watcher.cli.text.silence import silence_text
from watcher.cli.text.times import time_text
from watcher.core.delivery.model import State
from watcher.core.event import SHORT_ID_LENGTH
from watcher.core.messages.training import compose, plain_text
from watcher.core.plural import counted
from watcher.reports.deliveries import events_text

if TYPE_CHECKING:
    from watcher.core.routing.silence import Silence
    from watcher.store.delivery.views import DeliveryView

COLUMNS: Final = ("DELIVERY", "RECEIVER", "STATE", "ABOUT", "CREATED (UTC)", "ATTEMPTS", "NEXT ATTEMPT (UTC)", "REASON")
STYLES: Final = {
    State.DELIVERED: GOOD,
    State.DEAD: BAD,
    State.HELD: BAD,
    State.DROPPED: FAINT,
    State.SILENCED: FAINT,
}


def delivery_table(deliveries: Sequence[DeliveryView]) -> Table:
    """Return one row per delivery."""
    return Table(COLUMNS, [_row(delivery) for delivery in deliveries])


def _row(delivery: DeliveryView) -> tuple[Cell, ...]:
    return (
        cell(delivery.id[:SHORT_ID_LENGTH]),
        cell(delivery.receiver),
        cell(delivery.state, STYLES.get(delivery.state, WARN)),
        cell(events_text(delivery.events)),
        cell(time_text(delivery.created_at)),
        cell(delivery.attempts),
        cell(_optional(delivery.next_at)),
        cell(delivery.reason),
    )


def _optional(time: datetime | None) -> str:
    return "" if time is None else time_text(time)


def print_delivery(delivery: DeliveryView, out: Screen, silence: Silence | None = None) -> None:
    """Write everything about one delivery, then the command that sends it again."""
    out.line("delivery  ", cell(delivery.id))
    out.line("receiver  ", cell(delivery.receiver))
    out.line("state     ", cell(delivery.state, STYLES.get(delivery.state, WARN)))
    for label, text in _facts(delivery):
        if text:
            out.line(f"{label:<10}", cell(text))
    if silence is not None:
        out.line("silence   ", cell(silence_text(silence)))
    for event in delivery.events:
        out.line("event     ", cell(f"{event.short_id} {plain_text(compose(event).title)}"))
    if delivery.state in {State.DEAD, State.HELD}:
        out.line()
        out.line(cell(f"send it again: aitems-watcher deliveries retry {delivery.id[:SHORT_ID_LENGTH]}"))


def _facts(delivery: DeliveryView) -> Sequence[tuple[str, str]]:
    return (
        ("reason", delivery.reason),
        ("answer", delivery.answer or ""),
        ("created", f"{time_text(delivery.created_at)} UTC"),
        ("attempts", f"{delivery.attempts}{', may have arrived before' if delivery.may_be_repeat else ''}"),
        ("attempted", _optional(delivery.attempted_at)),
        ("next", _optional(delivery.next_at)),
        ("ended", _optional(delivery.settled_at)),
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
