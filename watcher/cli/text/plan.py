"""The plan of a configuration as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import GOOD, WARN, Screen, cell
from watcher.core.event import DEFAULT_KINDS

if TYPE_CHECKING:
    from watcher.reports.plan import AccountPlan, PollPlan, ReceiverPlan, RoutePlan, WatchPlan

TEXT_WIDTH: Final = 16
"""The least columns of a text; a longer one is cut in a narrow terminal, behind its last id."""


def show_plan(plan: PollPlan, out: Screen) -> None:
    """Write the plan, warnings last."""
    out.line(Cell("the configuration is valid", GOOD), ": ", cell(plan.file))
    for table in (
        _account_table(plan.accounts),
        _watch_table(plan.watches, several_accounts=len(plan.accounts) > 1),
        _receiver_table(plan.receivers),
        _route_table(plan.routes),
    ):
        out.line()
        out.table(table)
    if plan.warnings:
        out.line()
    for warning in plan.warnings:
        out.line(Cell("warning", WARN), ": ", cell(warning))


def _account_table(accounts: Sequence[AccountPlan]) -> Table:
    rows = [
        (
            cell(account.account),
            cell(account.base_url),
            Cell(f"{account.busy_per_minute:g}"),
            Cell(f"{account.idle_per_minute:g}"),
            Cell(f"{account.updates_per_minute:g}"),
            Cell(f"{account.allowed_per_minute:g}"),
        )
        for account in accounts
    ]
    return Table(("ACCOUNT", "ADDRESS", "REQUESTS PER MINUTE: BUSY", "IDLE", "UPDATES AT MOST", "ALLOWED"), rows)


def _watch_table(watches: Sequence[WatchPlan], *, several_accounts: bool) -> Table:
    rows = [
        (
            cell(watch.watch),
            cell(watch.account) if several_accounts else Cell(""),
            cell(watch.served_by),
            cell(f"every {watch.interval}"),
            cell(f"every {watch.idle_interval}"),
            cell(watch.typical_delay),
            cell(watch.worst_delay_in_progress),
            cell(watch.worst_delay),
            cell(watch.new_service_delay),
            cell(watch.saves),
        )
        for watch in watches
    ]
    columns = (
        *("WATCH", "ACCOUNT"),
        Column("SERVED BY", least=TEXT_WIDTH),
        *("IN PROGRESS", "IDLE", "DETECTED AFTER: TYPICAL", "WORST", "WORST WHEN IDLE", "NEW SERVICE"),
        Column("SAVES", omitted=1),
    )
    return Table(columns, rows)


def _receiver_table(receivers: Sequence[ReceiverPlan]) -> Table:
    signed = {None: Cell("-"), True: Cell("yes"), False: Cell("no", WARN)}
    rows = [
        (cell(item.receiver), cell(item.kind), cell(item.goes_to), signed[item.signed], Cell(item.after_uncertain))
        for item in receivers
    ]
    return Table(("RECEIVER", "KIND", "DESTINATION", "SIGNED", "AFTER AN UNCERTAIN ATTEMPT"), rows)


def _kinds_text(kinds: Sequence[str]) -> str:
    # The list of the default kinds would fill a line.
    return "the default kinds" if set(kinds) == DEFAULT_KINDS else ", ".join(kinds)


def _route_table(routes: Sequence[RoutePlan]) -> Table:
    rows = [
        (
            Cell(str(item.route)),
            cell(_kinds_text(item.kinds)),
            cell(item.only),
            cell(", ".join(item.to) or "none, on purpose"),
            cell(" ".join(item.mention)),
            cell(item.group_for),
            Cell("yes" if item.continues else ""),
        )
        for item in routes
    ]
    return Table(("ROUTE", "KINDS", "ONLY", "TO", "MENTIONS", "GROUPED FOR", "CONTINUES"), rows)
