"""The overview of the status page as lines: the same parts from the same data, in the words of the pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, HEADING, WARN, Screen
from watcher.cli.watching.lines import NAME_WIDTH, TEXT_WIDTH, OverviewLines, plain
from watcher.cli.watching.problems import show_problems
from watcher.cli.watching.services import show_services
from watcher.core.durations.past_runs import Outcome
from watcher.web.html.fleet.filter import MOST_ROWS
from watcher.web.html.shapes import UsualEnd, usual_end
from watcher.web.html.times import duration

if TYPE_CHECKING:
    from watcher.reports.overview import Overview, ReceiverRow
    from watcher.reports.status import KnownTraining
    from watcher.store.runs.latest import RunResult

MOST_SILENCES: Final = 5
STYLES: Final[Mapping[str, str]] = MappingProxyType({"ok": GOOD, "warn": WARN, "fail": BAD, "run": BUSY})
"""The styles of a terminal by the classes of the page."""
ENDS: Final = MappingProxyType({Outcome.COMPLETED: GOOD, Outcome.FAILED: BAD})


def show_overview(page: Overview, zone: tzinfo | None, out: Screen) -> None:
    """Write the parts of the page in its order."""
    lines = OverviewLines(page, zone, out)
    _verdict(lines)
    show_problems(lines)
    for part in (_steps, _in_progress, show_services, _watcher, _receivers, _silences, _ends):
        part(lines)


def _verdict(lines: OverviewLines) -> None:
    values, times = lines.values, lines.times
    lines.out.line(plain(values["headline"], f"bold {STYLES.get(values['icon'][1], '')}".strip()))
    lines.out.line(plain(values["subline"]))
    as_of = lines.t("as-of", time=times.seconds(times.now))
    lines.out.line(plain(as_of, FAINT), " ", plain(lines.t("times-in", zone=times.zone_name), FAINT))


def _steps(lines: OverviewLines) -> None:
    if not lines.values["steps"]:
        return
    lines.out.line()
    lines.out.line(plain(lines.values["steps_title"], HEADING))
    for done, title, text in lines.values["steps"]:
        mark = lines.t("done" if done else "to-do")
        lines.out.line(plain(title, GOOD if done else ""), ", ", plain(mark, FAINT))
        lines.maybe(text)


def _in_progress(lines: OverviewLines) -> None:
    if not (found := lines.values["in_progress"]):
        return
    lines.heading("in-progress-known" if lines.page.outages else "in-progress", len(found))
    columns = (
        Column(lines.word("training"), least=NAME_WIDTH),
        lines.word("type"),
        lines.word("stage"),
        lines.word("elapsed"),
        Column(lines.word("usual-duration"), omitted=1),
        lines.word("expected-end"),
    )
    lines.out.table(Table(columns, [_training_row(lines, item) for item in found[:MOST_ROWS]]))
    lines.more(found, MOST_ROWS)


def _training_row(lines: OverviewLines, item: KnownTraining) -> tuple[Cell, ...]:
    run, ref = item.snapshot.run, item.snapshot.ref
    stuck = run is not None and run.report is not None
    start = None if run is None else run.start
    status = Markup("{}{}").format(item.snapshot.status, lines.t("may-be-stuck") if stuck else "")
    elapsed = lines.t("start-not-seen") if start is None else lines.times.lasts(start.bounds.middle)
    return (
        plain(lines.values["name_of"](ref)),
        plain(ref.type),
        plain(status, WARN if stuck else BUSY),
        plain(elapsed),
        plain(_usual(lines, item)),
        plain(_expected(lines, item)),
    )


def _usual(lines: OverviewLines, item: KnownTraining) -> Markup:
    usual = None if item.progress is None else item.progress.usual
    if usual is None:
        return lines.t("not-known-yet")
    return lines.t("usual-range", low=duration(usual.low, lines.t), high=duration(usual.high, lines.t), n=usual.runs)


def _expected(lines: OverviewLines, item: KnownTraining) -> Markup:
    last_seen = lines.values["unpolled"].get(item.snapshot.ref)
    if last_seen is not None and item.progress is not None:
        return _unpolled_end(lines, usual_end(item.progress, last_seen, lines.times.now))
    expected = None if item.progress is None else item.progress.expected
    if expected is None:
        return lines.t("no-estimate")
    if expected.times is None:
        return lines.t("longer-than-usual")
    times = lines.times.span(expected.times.low, expected.times.high)
    note = lines.t("longer-than-most") if expected.reason == "longer-than-most" else Markup("")
    return Markup("{} {}").format(times, note)


def _unpolled_end(lines: OverviewLines, end: UsualEnd | None) -> Markup:
    if end is None:
        return lines.t("no-estimate")
    times = lines.t("longer-than-usual") if end.was_over else lines.times.span(end.low, end.high)
    note = lines.t("may-have-ended") if end.may_have_ended else Markup("")
    return Markup("{} {}").format(times, note)


def _watcher(lines: OverviewLines) -> None:
    text, css = lines.values["watcher_state"]
    state = plain(text, STYLES.get(css, ""))
    lines.out.line()
    lines.out.line(plain(lines.t("watcher"), HEADING), " ", state)
    rows = lines.values["watcher_rows"]
    lines.out.line(*(part for title, value in rows for part in (plain(title), ": ", plain(value), "  ")))


def _receivers(lines: OverviewLines) -> None:
    lines.heading("receivers")
    rows = [
        (plain(item.name), plain(item.kind or lines.t("removed-receiver"), FAINT), _receiver_state(lines, item))
        for item in lines.page.receivers
    ]
    if rows:
        lines.out.table(Table(("", "", Column("", least=TEXT_WIDTH)), rows), headings=False)


def _receiver_state(lines: OverviewLines, item: ReceiverRow) -> Cell:
    if item.failing is not None:
        return plain(lines.t("fails-wait", n=item.waiting), WARN)
    if item.dead:
        return plain(lines.t("dead-count", n=item.dead), WARN)
    if item.waiting:
        return plain(lines.t("works-wait", n=item.waiting))
    return plain(lines.t("works" if item.works else "no-delivery"))


def _silences(lines: OverviewLines) -> None:
    lines.heading("silences")
    if not lines.page.silences:
        lines.out.line(plain(lines.t("no-silence"), FAINT))
    for item in lines.page.silences[:MOST_SILENCES]:
        end = lines.t("ends-at", time=lines.times.clock(item.ends_at))
        by = lines.t("silence-by", author=item.author)
        what = plain(lines.values["silence_text"](item), WARN)
        lines.out.line(what, ", ", plain(item.reason), ", ", plain(by, FAINT), ", ", plain(end))


def _ends(lines: OverviewLines) -> None:
    lines.heading("recent-ends")
    if not lines.values["ends"]:
        lines.out.line(plain(lines.t("no-end"), FAINT))
        return
    columns = ("", Column("", least=NAME_WIDTH), "", "", Column("", omitted=1))
    rows = [_end_row(lines, item) for item in lines.values["ends"]]
    lines.out.table(Table(columns, rows), headings=False)


def _end_row(lines: OverviewLines, item: RunResult) -> tuple[Cell, ...]:
    return (
        plain(item.status, ENDS.get(item.outcome, FAINT)),
        plain(lines.values["name_of"](item.ref)),
        plain(item.ref.type),
        plain(lines.times.age(item.ended.before)),
        plain(lines.t("took", duration=duration(item.seconds, lines.t)) if item.seconds else ""),
    )
