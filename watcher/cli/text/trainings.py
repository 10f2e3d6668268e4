"""Trainings as a table, and their counts as a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, WARN, Screen, cell
from watcher.cli.text.times import age_text, duration_text
from watcher.core.plural import counted
from watcher.core.training.model import Phase, phase_of
from watcher.reports.trainings import NO_FILTER, Selection, TrainingTotals

if TYPE_CHECKING:
    from watcher.cli.text.times import LocalTimes
    from watcher.core.training.model import Snapshot
    from watcher.reports.status import KnownTraining, StatusReport

PHASE_STYLES: Final = {
    Phase.IDLE: "",
    Phase.IN_PROGRESS: BUSY,
    Phase.SUCCEEDED: GOOD,
    Phase.FAILED: BAD,
    Phase.UNKNOWN: WARN,
}
STATUS_WIDTH: Final = 20
"""The least columns of a status; documented ones are shorter."""
EXPECTED_WIDTH: Final = 12
"""The least columns of an expected end: a date and a time."""
NOTE_WIDTH: Final = 20
"""The least columns of a note; the rest needs ``--wide``."""


def show_trainings(report: StatusReport, times: LocalTimes, out: Screen) -> None:
    """Write the trainings that were asked for, then the counts of all."""
    if not report.totals.total:
        out.line("no training is recorded yet" if report.selection == NO_FILTER else "no training matches")
        return
    if report.trainings:
        out.table(training_table(report.trainings, times))
    else:
        out.line(_none_text(report.selection))
    if report.more:
        out.line(f"only these {len(report.trainings)} are listed; add --all for the rest")
    out.line(cell(totals_text(report.totals)))


def _none_text(selection: Selection) -> str:
    """Say that a selection of the known trainings shows none."""
    if not selection.failed:
        return "no training is in progress"
    return "no training is in progress or has failed" if selection.in_progress else "no training has failed"


def training_table(trainings: Sequence[KnownTraining], times: LocalTimes) -> Table:
    """Return one row per training."""
    several = len({item.snapshot.ref.account for item in trainings}) > 1
    columns = (
        *("ACCOUNT", "SERVICE", "TYPE", "VERSION"),
        Column("STATUS", least=STATUS_WIDTH),
        "AGE",
        Column("USUAL RUN", omitted=3),
        Column("EXPECTED END", omitted=4, least=EXPECTED_WIDTH),
        Column(times.heading("SINCE"), omitted=2),
        Column("LAST SEEN", omitted=1),
        Column("NOTE", least=NOTE_WIDTH),
    )
    return Table(columns, [_row(item, times, several_accounts=several) for item in trainings])


def _row(item: KnownTraining, times: LocalTimes, *, several_accounts: bool) -> tuple[Cell, ...]:
    snapshot, ref = item.snapshot, item.snapshot.ref
    return (
        cell(ref.account) if several_accounts else Cell(""),
        cell(item.name or ref.service),
        cell(ref.type),
        cell(ref.version),
        status_cell(snapshot),
        Cell(age_of(snapshot, times)),
        *_expectations(item, times),
        Cell(times.since(snapshot)),
        Cell(age_text(times.now - item.last_seen)),
        Cell(", ".join(notes(item)), FAINT),
    )


def _expectations(item: KnownTraining, times: LocalTimes) -> tuple[Cell, Cell]:
    progress = item.progress
    usual = None if progress is None else progress.usual
    expected = None if progress is None else progress.expected
    if usual is None:
        return Cell(""), Cell("")
    # A report without a run in progress does not load them.
    from watcher.cli.text.runs import expected_text, usual_text

    late = expected is not None and expected.reason.value != "as-usual"
    end = "" if expected is None else expected_text(expected, times)
    return Cell(usual_text(usual)), Cell(end, WARN if late else "")


def status_cell(snapshot: Snapshot) -> Cell:
    """Return the recorded status; in brackets while it waits for confirmation."""
    if snapshot.status is None:
        return cell(f"({snapshot.pending.status})" if snapshot.pending else "", WARN)
    return cell(snapshot.status, PHASE_STYLES[phase_of(snapshot.status)])


def age_of(snapshot: Snapshot, times: LocalTimes) -> str:
    """Write how long a training has had its status at least; ``+`` where it may be much longer."""
    if snapshot.changed_before is None:
        return f"{duration_text(times.now - snapshot.first_seen_at)}+"
    return duration_text(times.now - snapshot.changed_before)


def notes(item: KnownTraining) -> Iterator[str]:
    """Yield the remarks about a training."""
    snapshot = item.snapshot
    if snapshot.pending is not None:
        yield f"{snapshot.pending.status}, not confirmed yet" if snapshot.status else "not confirmed yet"
    if not item.watched:
        yield "not watched any more"
    if snapshot.gone:
        yield "gone: not found any more"
    elif snapshot.absent:
        yield "not found by the latest poll"


def totals_text(totals: TrainingTotals) -> str:
    """Write the counts of trainings, e.g. ``312 trainings: 310 completed, 2 learning``."""
    parts = [f"{count} {status}" for status, count in totals.by_status.items()]
    others = (
        (totals.unconfirmed, "not confirmed yet"),
        (totals.gone, "gone"),
        (totals.not_watched, "not watched any more"),
    )
    parts += [f"{count} {text}" for count, text in others if count]
    return f"{counted(totals.total, 'training')}: {', '.join(parts)}"
