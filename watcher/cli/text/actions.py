"""The actions of people as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import cell
from watcher.cli.text.times import LocalTimes
from watcher.core.action import OF_DELIVERIES, Action
from watcher.core.event import SHORT_ID_LENGTH
from watcher.reports.receiver_check import FAILED, outcome_text

TEXT_WIDTH: Final = 16
"""The least columns of a text; the rest needs ``--wide``."""


def action_table(actions: Iterable[Action], times: LocalTimes) -> Table:
    """Return one row per action."""
    columns = (
        times.heading("WHEN"),
        "BY",
        "ACTION",
        Column("ON", least=TEXT_WIDTH),
        Column("OUTCOME", least=TEXT_WIDTH),
    )
    return Table(columns, [_row(action, times) for action in actions])


def _row(action: Action, times: LocalTimes) -> tuple[Cell, ...]:
    target = action.target[:SHORT_ID_LENGTH] if action.kind in OF_DELIVERIES else action.target
    return (
        Cell(times.time(action.at)),
        cell(action.author or "unknown"),
        cell(action.kind),
        cell(target),
        cell(_outcome(action)),
    )


def _outcome(action: Action) -> str:
    """Describe the outcome of a test; empty for another action."""
    kind = FAILED.get(action.outcome)
    if kind is None:
        return "delivered" if action.outcome else ""
    return outcome_text(kind(reason=action.reason))
