"""Convert runs and their stages to rows of the tables, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import RowMapping

from watcher.core.timestamps import from_text, to_text
from watcher.core.training.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.training.model import TrainingRef
from watcher.core.training.past_runs import Outcome, PastRun
from watcher.core.training.run import EndedRun, EndedStage

Row = dict[str, Any]


def write_current_run(run: CurrentRun) -> str:
    """Return the column ``run`` of a training: the bounds of its start, and of the entry of each stage."""
    start = None if run.start is None else _pair(run.start.bounds)
    stages = [[stage.status, *([] if stage.entered is None else _pair(stage.entered))] for stage in run.stages]
    return json.dumps({"start": start, "stages": stages}, ensure_ascii=False, separators=(",", ":"))


def read_current_run(column: str) -> CurrentRun:
    """Read the column ``run`` of a training."""
    data = json.loads(column)
    start = None if data["start"] is None else _bounds(data["start"])
    return CurrentRun(
        start=None if start is None else RunStart(started_after=start.after, started_before=start.before),
        stages=tuple(
            Stage(status=status, entered=_bounds(times) if times else None) for status, *times in data["stages"]
        ),
    )


def run_row(run: EndedRun) -> Row:
    """Return the columns of a run that has ended."""
    past, start = run.past_run, run.start
    return {
        "subject": run.ref.subject,
        "seq": run.seq,
        "account": run.ref.account,
        "service": run.ref.service,
        "type": run.ref.type,
        "version": run.ref.version,
        "hpo": run.hpo,
        "outcome": run.outcome.value,
        "status": run.status,
        "started_after": None if start is None else to_text(start.started_after),
        "started_before": None if start is None else to_text(start.started_before),
        "ended_after": to_text(run.ended.after),
        "ended_before": to_text(run.ended.before),
        "restored": run.restored,
        **_durations(past),
    }


def stage_rows(run: EndedRun) -> Iterator[Row]:
    """Return the columns of each stage of a run that has ended."""
    subject = run.ref.subject
    for number, stage in enumerate(run.stages):
        entered = stage.entered
        yield {
            "subject": subject,
            "seq": run.seq,
            "number": number,
            "status": stage.status,
            "entered_after": None if entered is None else to_text(entered.after),
            "entered_before": None if entered is None else to_text(entered.before),
            "left_after": to_text(stage.left.after),
            "left_before": to_text(stage.left.before),
            **_durations(run.past_stage(stage)),
        }


def read_run_row(row: RowMapping, stages: tuple[EndedStage, ...] = ()) -> EndedRun:
    """Read a row of ``run``."""
    start = _optional_bounds(row["started_after"], row["started_before"])
    return EndedRun(
        ref=TrainingRef(row["account"], row["service"], row["type"], row["version"]),
        seq=row["seq"],
        outcome=Outcome(row["outcome"]),
        status=row["status"],
        hpo=row["hpo"],
        start=None if start is None else RunStart(started_after=start.after, started_before=start.before),
        ended=_bounds((row["ended_after"], row["ended_before"])),
        stages=stages,
        restored=row["restored"],
    )


def read_stage_row(row: RowMapping) -> EndedStage:
    """Read a row of ``stage``."""
    return EndedStage(
        status=row["status"],
        entered=_optional_bounds(row["entered_after"], row["entered_before"]),
        left=_bounds((row["left_after"], row["left_before"])),
    )


def _durations(past: PastRun | None) -> Row:
    return {
        "seconds": None if past is None else past.duration.total_seconds(),
        "uncertain_seconds": None if past is None else past.uncertainty.total_seconds(),
    }


def _pair(bounds: Bounds) -> list[str]:
    return [to_text(bounds.after), to_text(bounds.before)]


def _bounds(times: list[str] | tuple[str, str]) -> Bounds:
    after, before = times
    return Bounds(after=from_text(after), before=from_text(before))


def _optional_bounds(after: str | None, before: str | None) -> Bounds | None:
    return None if after is None or before is None else _bounds((after, before))
