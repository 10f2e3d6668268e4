"""The routes of an event as tables and lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from watcher.cli.text.output import BAD, GOOD, Cell, Screen, Table, cell
from watcher.cli.text.silence import silence_text
from watcher.core.routing.matcher import facts_of
from watcher.reports.history import route_text

if TYPE_CHECKING:
    from watcher.core.event import Event
    from watcher.reports.route import RecipientReport, RouteAnswer, RouteReport
    from watcher.store.views import EventHistory


def show_route(event: Event, stored: EventHistory | None, report: RouteReport, out: Screen) -> None:
    """Write the event, each route, and the receivers that are notified."""
    out.line(cell(_event_text(event)))
    if stored is not None:
        out.line("was routed by: ", cell(route_text(stored) or "no route yet"))
    out.line()
    out.table(_route_table(report.routes))
    out.line()
    if report.silence is not None:
        out.line(Cell("no receiver is notified", BAD), ": silenced by ", cell(silence_text(report.silence)))
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
    return Table(("ROUTE", "MATCHES", "REASON", "TO"), rows)


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
    return Table(("NOTIFIED", "KIND", "BY", "MENTIONS", "GROUP"), rows)
