"""The lines about services: the latest results of each type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, BUSY, FAINT, WARN, cell
from watcher.cli.watching.lines import NAME_WIDTH, TEXT_WIDTH, OverviewLines, plain
from watcher.core.durations.past_runs import Outcome
from watcher.reports.overview import OpenKind
from watcher.web.html.shapes import STRIP

if TYPE_CHECKING:
    from watcher.reports.overview import ServiceRow, TypeResults

COMPLETED: Final = "o"
FAILED: Final = "x"
IN_PROGRESS: Final = "p"
LEGEND: Final = ((COMPLETED, "completed"), (FAILED, "failed"), (IN_PROGRESS, "legend-in-progress"))
"""The letters of the results, and their texts in the catalogue."""


def show_services(lines: OverviewLines) -> None:
    """Write one row for each type of the services, as many services as on the page."""
    services = lines.values["services"]
    lines.heading("services", len(services), lines.t("results-hint"))
    if not services:
        lines.out.line(plain(lines.t("no-service"), FAINT))
        return
    columns = (
        Column(lines.word("service"), least=NAME_WIDTH),
        lines.word("type"),
        lines.word("results"),
        Column("", least=TEXT_WIDTH),
    )
    listed = lines.values["listed"]
    rows = [row for service in (*listed.rows, *listed.rest) for row in _service_rows(lines, service)]
    lines.out.table(Table(columns, rows))
    for key, count in (("more-services", listed.more), ("quiet-services", listed.others)):
        if count:
            lines.out.line(plain(lines.t(key, n=count), FAINT))
    parts = [part for mark, key in LEGEND for part in (f"{mark} ", cell(lines.word(key), FAINT), "  ")]
    lines.out.line(*parts)


def _service_rows(lines: OverviewLines, service: ServiceRow) -> Iterator[tuple[Cell, ...]]:
    name = plain(service.name or service.service.service)
    if not service.types:
        yield name, Cell(""), Cell(""), plain(lines.t("never-polled" if service.untried else "no-run"), FAINT)
    for number, item in enumerate(service.types):
        yield name if number == 0 else Cell(""), plain(item.of.type), _strip(item), _latest(lines, item)


def _latest(lines: OverviewLines, item: TypeResults) -> Cell:
    problem = item.problem
    if problem is not None and problem.kind is OpenKind.OVERDUE:
        return plain(lines.t("kind-overdue"), WARN)
    if problem is not None and problem.kind is OpenKind.FAILED:
        return plain(Markup("{} {}").format(problem.status, lines.times.age(problem.since)), BAD)
    if item.in_progress is not None:
        status, stuck = item.in_progress.snapshot.status, lines.t("may-be-stuck") if problem else ""
        return plain(Markup("{}{}").format(status, stuck), WARN if problem else BUSY)
    if item.latest is None:
        return plain(lines.t("no-run"), FAINT)
    return plain(lines.times.age(item.latest.ended.before))


def _strip(item: TypeResults) -> Cell:
    """Return the latest results as letters, the newest right."""
    marks = [COMPLETED if result.outcome is Outcome.COMPLETED else FAILED for result in item.results]
    if item.in_progress is not None:
        marks.append(IN_PROGRESS)
    return Cell("".join(marks[-STRIP:]))
