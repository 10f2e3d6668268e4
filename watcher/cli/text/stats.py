"""Statistics of runs as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, FAINT, GOOD, Screen, cell
from watcher.cli.text.times import rough_duration
from watcher.core.durations.past_runs import Outcome
from watcher.core.plural import counted

if TYPE_CHECKING:
    from watcher.cli.text.times import LocalTimes
    from watcher.core.durations.usual_durations import UsualDurations
    from watcher.reports.runs.stats import OutcomeStreak, StatsReport, StatsRow

STREAK_STYLES: Final = {Outcome.COMPLETED: GOOD, Outcome.FAILED: BAD}

IN_PROGRESS: Final = "aitems-watcher status shows the trainings in progress"


def show_stats(report: StatsReport, times: LocalTimes, out: Screen) -> None:
    """Write the table, then the period and its runs."""
    since = times.full(report.since)
    if not report.rows:
        out.line(f"no run has ended since {since}, nor in as long a time before; {IN_PROGRESS}")
        return
    out.table(stats_table(report))
    runs = sum(row.runs for row in report.rows)
    noun = "stage of a completed run" if report.rows[0].group.stage else "run"
    plural = "stages of completed runs" if report.rows[0].group.stage else "runs"
    out.line(cell(f"{counted(runs, noun, plural)} since {since}", FAINT))


def stats_table(report: StatsReport) -> Table:
    """Return one row a service, a type or a stage."""
    several = len({row.group.account for row in report.rows}) > 1
    columns = (
        *("ACCOUNT", "SERVICE", "TYPE", "STAGE", "RUNS", "SUCCESS"),
        Column("STREAK", omitted=2),
        *("MEDIAN", "MIDDLE 80 %"),
        Column("LONGEST", omitted=1),
        "TREND",
    )
    return Table(columns, [_row(row, several_accounts=several) for row in report.rows])


def percent(share: float | None, *, signed: bool = False) -> str:
    """Write a share in whole percent, e.g. ``94 %``; a change has its sign."""
    if share is None:
        return ""
    number = round(share * 100)
    return f"{number:+d} %" if signed and number else f"{number} %"


def middle_text(usual: UsualDurations) -> str:
    """Write the middle 80 % of durations, e.g. ``48m to 1h1m``."""
    return f"{rough_duration(usual.low)} to {rough_duration(usual.high)}"


def _row(row: StatsRow, *, several_accounts: bool) -> tuple[Cell, ...]:
    group, usual = row.group, row.usual
    return (
        cell(group.account) if several_accounts else Cell(""),
        cell(row.name or group.service),
        cell(group.type or ""),
        cell(group.stage or ""),
        Cell(str(row.runs)),
        Cell(percent(row.success_rate)),
        _streak(row.streak),
        Cell("" if usual is None else rough_duration(usual.median)),
        Cell("" if usual is None else middle_text(usual)),
        Cell("" if usual is None else rough_duration(usual.longest)),
        Cell(percent(row.trend, signed=True)),
    )


def _streak(streak: OutcomeStreak | None) -> Cell:
    return Cell("") if streak is None else Cell(f"{streak.runs} {streak.outcome}", STREAK_STYLES[streak.outcome])
