"""The routes of an event as tables and lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, GOOD, Screen, cell
from watcher.cli.text.silence import silence_text
from watcher.core.routing.matcher import facts_of
from watcher.reports.history import route_text

if TYPE_CHECKING:
    from watcher.cli.text.times import LocalTimes
    from watcher.core.event import Event
    from watcher.reports.route import RecipientReport, RouteAnswer, RouteReport
    from watcher.store.views import EventHistory

TEXT_WIDTH: Final = 16
"""The least columns of a text; a longer one is cut in a narrow terminal."""


def show_route(event: Event, stored: EventHistory | None, report: RouteReport, times: LocalTimes, out: Screen) -> None:
    """Write the event, each route, and the receivers that are notified."""
    out.line(cell(_event_text(event)))
    if stored is not None:
        out.line("was routed by: ", cell(route_text(stored) or "no route yet"))
    out.line()
    out.table(_route_table(report.routes))
    out.line()
    if report.silence is not None:
        out.line(Cell("no receiver is notified", BAD), ": silenced by ", cell(silence_text(report.silence, times)))
    elif report.recipients:
        out.table(_recipients_table(report.recipients))
    else:
        out.line(Cell("no receiver is notified", BAD), ": ", cell(report.reason))


def _event_text(event: Event) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in facts_of(event).items())
    return f"{event.id}: {event.kind}, {facts}" if facts else f"{event.id}: {event.kind}"


def _route_table(answers: Sequence[RouteAnswer]) -> Table:
    rows = [
        (
            Cell(str(answer.route)),
            Cell("yes", GOOD) if answer.takes else Cell("no"),
            cell(answer.why),
            cell(", ".join(answer.to) or "none, on purpose"),
        )
        for answer in answers
    ]
    return Table(("ROUTE", "MATCHES", Column("REASON", least=TEXT_WIDTH), Column("TO", least=TEXT_WIDTH)), rows)


def _recipients_table(recipients: Sequence[RecipientReport]) -> Table:
    rows = [
        (
            cell(recipient_report.receiver),
            cell(recipient_report.kind),
            Cell(f"route {recipient_report.route}"),
            cell(" ".join(recipient_report.mention)),
            cell(recipient_report.group),
        )
        for recipient_report in recipients
    ]
    return Table(
        ("NOTIFIED", "KIND", "BY", Column("MENTIONS", least=TEXT_WIDTH), Column("GROUP", least=TEXT_WIDTH)), rows
    )
