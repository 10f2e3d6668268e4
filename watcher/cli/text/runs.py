"""Runs and their stages: a table, the usual durations and the expected end as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, cell
from watcher.cli.text.times import age_text, duration_text, rough_duration
from watcher.core.durations.expected_end import EndReason, ExpectedEnd
from watcher.core.durations.past_runs import Outcome
from watcher.core.plural import counted
from watcher.reports.runs.runs import stages_until

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.cli.text.times import LocalTimes
    from watcher.core.durations.current_run import Bounds, CurrentRun
    from watcher.core.durations.past_runs import PastRun
    from watcher.core.training.comparison import SettingChange, UsualFacts
    from watcher.core.training.run import EndedRun, EndedStage
    from watcher.reports.runs.runs import Differences

SECOND: Final = timedelta(seconds=1)
OUTCOME_STYLES: Final = {Outcome.COMPLETED: GOOD, Outcome.FAILED: BAD, Outcome.STOPPED: FAINT}
REMARKS: Final = {
    EndReason.AS_USUAL: "",
    EndReason.LONGER_THAN_MOST: "longer than 9 of 10",
    EndReason.LONGER_THAN_USUAL: "longer than usual",
}


def usual_text(usual: UsualFacts) -> str:
    """Write the middle 80 % of durations, e.g. ``48m to 1h1m``."""
    return f"{rough_duration(usual.low)} to {rough_duration(usual.high)}"


def usual_sentence(usual: UsualFacts) -> str:
    """Write the middle 80 % with its runs, e.g. ``usually 48m to 1h1m, 23 runs``."""
    where = " of the type in the account" if usual.whole_account else ""
    return f"usually {usual_text(usual)}, {counted(usual.runs, 'run')}{where}"


def expected_text(expected: ExpectedEnd, times: LocalTimes) -> str:
    """Write an expected end in a few words, e.g. ``14:20`` or ``longer than usual``."""
    end = () if expected.times is None else (times.minute(expected.times.median),)
    return ", ".join(part for part in (*end, REMARKS[expected.reason]) if part)


def expected_sentence(expected: ExpectedEnd, times: LocalTimes) -> str:
    """Write an expected end with its middle 80 %."""
    if expected.times is None:
        return f"{REMARKS[expected.reason]}, so no end is expected"
    ends = expected.times
    middle = f"{times.minute(ends.low)} to {times.minute(ends.high)}"
    remark = REMARKS[expected.reason]
    return f"about {times.minute(ends.median)} ({middle}){remark and f'; it has taken {remark}'}"


def differences_lines(found: Differences, times: LocalTimes) -> Iterator[tuple[str, str]]:
    """Yield the last good version, and each setting that differs from it."""
    last = found.last_good
    age = "" if last.ended is None else f", completed {age_text(times.now - last.ended.middle)}"
    yield "last good", f"{last.version}{age}"
    if found.changes is None:
        yield "changed", "not known: the record of one of both has no hpConfig"
    elif not found.changes:
        yield "changed", "no setting since then"
    else:
        yield "changed", "; ".join(_change(item) for item in found.changes)


def stages_table(
    current: CurrentRun | None,
    runs: Sequence[EndedRun],
    usual: Mapping[str, UsualFacts],
    first_seen_at: datetime,
    times: LocalTimes,
) -> Table:
    """Return one row a stage: the present run first, then those that have ended, the latest first.

    A stage that no poll saw begin took at least as long as polls saw it.
    """
    columns = (
        "RUN",
        "STAGE",
        times.heading("ENTERED"),
        "TOOK",
        Column("USUALLY", omitted=1),
    )
    present = [] if current is None else list(_present_rows(current, usual, first_seen_at, times))
    ended = [row for run in reversed(runs) for row in _ended_rows(run, first_seen_at, times)]
    return Table(columns, [*present, *ended])


def _present_rows(
    run: CurrentRun, usual: Mapping[str, UsualFacts], first_seen_at: datetime, times: LocalTimes
) -> Iterator[tuple[Cell, ...]]:
    for place, stage in enumerate(stages_until(run, times.now)):
        present = place + 1 == len(run.stages)
        took = _least(stage, first_seen_at) or _between(stage.entered, stage.left, exact=present)
        so_far = " so far" if present else ""
        known = usual.get(stage.status)
        yield (
            Cell(("stopping" if run.is_stopping else "in progress") if place == 0 else "", BUSY),
            cell(stage.status),
            _entered(stage.entered, times),
            Cell(took + so_far),
            Cell("" if known is None else usual_text(known), FAINT),
        )


def _ended_rows(run: EndedRun, first_seen_at: datetime, times: LocalTimes) -> Iterator[tuple[Cell, ...]]:
    style = OUTCOME_STYLES[run.outcome]
    for place, stage in enumerate(run.stages):
        name = Cell(run.outcome.value if place == 0 else "", style)
        took = _least(stage, first_seen_at) or _took(run.past_stage(stage))
        yield name, cell(stage.status), _entered(stage.entered, times), Cell(took), Cell("")
    ended = Cell(times.bounds(run.ended.after, run.ended.before))
    name = Cell("" if run.stages else run.outcome.value, style)
    yield name, cell(run.status, style), ended, Cell(_whole(run)), Cell("")


def _whole(run: EndedRun) -> str:
    took = _took(run.past_run)
    return f"{took} in all" if took else "start not known"


def _entered(bounds: Bounds | None, times: LocalTimes) -> Cell:
    return Cell("not known", FAINT) if bounds is None else Cell(times.bounds(bounds.after, bounds.before))


def _least(stage: EndedStage, first_seen_at: datetime) -> str:
    least = stage.least(first_seen_at)
    return "" if least is None else at_least(least)


def at_least(duration: timedelta) -> str:
    """Write the least duration of something that no poll saw begin."""
    return f"at least {duration_text(duration)}"


def _between(entered: Bounds | None, left: Bounds, *, exact: bool) -> str:
    if entered is None:
        return ""
    if exact:
        return duration_text(left.middle - entered.middle)
    return _uncertain(left.middle - entered.middle, entered.half_width + left.half_width)


def _took(past: PastRun | None) -> str:
    return "" if past is None else _uncertain(past.duration, past.uncertainty)


def _uncertain(length: timedelta, error: timedelta) -> str:
    """Write a duration with its largest error, in whole seconds rounded up."""
    return duration_text(length) + (f" ± {duration_text(error + SECOND - timedelta.resolution)}" if error else "")


def _change(change: SettingChange) -> str:
    return f"{change.option} {_value(change.old)} → {_value(change.new)}"


def _value(value: object) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
