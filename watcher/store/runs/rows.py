"""Convert runs and their stages to rows of the tables, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping

from watcher.core.durations.current_run import Bounds, CurrentRun, LearnedLimits, RunStart, Stage, StuckReport
from watcher.core.durations.past_runs import Outcome, PastRun
from watcher.core.durations.prediction import Prediction
from watcher.core.durations.stuck_limit import StuckLimit
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.model import TrainingRef
from watcher.core.training.run import EndedRun, EndedStage

Row = dict[str, Any]


def write_current_run(run: CurrentRun) -> str:
    """Return the column ``run`` of a training: the bounds of its start, and of the entry of each stage."""
    start = None if run.start is None else _pair(run.start.bounds)
    stages = [[stage.status, *([] if stage.entered is None else _pair(stage.entered))] for stage in run.stages]
    document = {"start": start, "stages": stages, **_stuck_json(run)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def read_current_run(column: str) -> CurrentRun:
    """Read the column ``run`` of a training."""
    data = json.loads(column)
    start = None if data["start"] is None else _bounds(data["start"])
    return CurrentRun(
        start=None if start is None else RunStart(started_after=start.after, started_before=start.before),
        stages=tuple(
            Stage(status=status, entered=_bounds(times) if times else None) for status, *times in data["stages"]
        ),
        limits=_read_limits(data.get("limits")),
        stage_level=data.get("stage_level", 0),
        run_level=data.get("run_level", 0),
        unpolled_in_stage=timedelta(seconds=data.get("unpolled_in_stage", 0)),
        unpolled_in_run=timedelta(seconds=data.get("unpolled_in_run", 0)),
        report=_read_report(data.get("report")),
    )


def _stuck_json(run: CurrentRun) -> Row:
    facts = {
        "limits": None if run.limits is None else _limits_json(run.limits),
        "stage_level": run.stage_level,
        "run_level": run.run_level,
        "unpolled_in_stage": run.unpolled_in_stage.total_seconds(),
        "unpolled_in_run": run.unpolled_in_run.total_seconds(),
        "report": None if run.report is None else _report_json(run.report),
    }
    # Most runs have none of them but the limits.
    return {name: value for name, value in facts.items() if value}


def _limits_json(limits: LearnedLimits) -> list[object]:
    end = None if limits.expected_end is None else to_text(limits.expected_end)
    known = limits.prediction
    prediction = None if known is None else [known.center, known.spread, known.degrees]
    return [_limit_json(limits.stage), _limit_json(limits.run), end, prediction]


def _limit_json(limit: StuckLimit | None) -> list[object] | None:
    return None if limit is None else [limit.first.total_seconds(), limit.runs]


def _read_limits(data: list[Any] | None) -> LearnedLimits | None:
    if data is None:
        return None
    stage, run, end, prediction = data
    return LearnedLimits(
        stage=_read_limit(stage),
        run=_read_limit(run),
        prediction=None if prediction is None else _read_prediction(*prediction),
        expected_end=None if end is None else from_text(end),
    )


def _read_prediction(center: float, spread: float, degrees: int) -> Prediction:
    return Prediction(center=center, spread=spread, degrees=degrees)


def _read_limit(data: list[Any] | None) -> StuckLimit | None:
    return None if data is None else StuckLimit(first=timedelta(seconds=data[0]), runs=data[1])


def _report_json(report: StuckReport) -> list[object]:
    return [to_text(report.first_at), report.level, report.whole_run]


def _read_report(data: list[Any] | None) -> StuckReport | None:
    if data is None:
        return None
    first_at, level, whole_run = data
    return StuckReport(first_at=from_text(first_at), level=level, whole_run=whole_run)


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
