"""The reports of a wait as JSON: for programs, and for the command that asked the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from watcher.core.durations.current_run import Bounds
from watcher.core.messages.advice import advice
from watcher.core.timestamps import to_text
from watcher.core.training.comparison import EndFacts, UsualFacts
from watcher.core.training.model import Snapshot
from watcher.core.training.waiting import PollProblem, WaitReport


class WaitEvent(StrEnum):
    """The kinds of lines that a wait prints."""

    WAITING = "waiting"
    """There is no such version yet."""
    STATUS = "status"
    """The training has this status now."""
    PROBLEM = "problem"
    """The training cannot be polled at present, or for another cause than before."""
    RECOVERED = "recovered"
    END = "end"


def wait_json(report: WaitReport) -> dict[str, object]:
    """Return a report; times are RFC 3339 in UTC, texts from AiTEMS are unchanged."""
    progress = report.progress
    target, training = progress.target, progress.training
    return {
        "at": to_text(report.at),
        "account": target.service.account,
        "service": target.service.service,
        "type": target.type,
        "polled_at": None if progress.answered_at is None else to_text(progress.answered_at),
        **_training_json(training),
        "usual": None if report.usual is None else _usual_json(report.usual),
        "expected_end": None if report.expected_end is None else _end_json(report.expected_end),
        "problem": None if progress.problem is None else _problem_json(progress.problem),
    }


def events_between(before: Mapping[str, object] | None, now: Mapping[str, object]) -> list[WaitEvent]:
    """Return the lines that a report is worth after another one; none for one that only goes on."""
    events = []
    subject = _subject(now)
    if subject is not None and subject != _subject(before):
        events.append(WaitEvent.WAITING if now["version"] is None else WaitEvent.STATUS)
    known, problem = _cause(before), _cause(now)
    if problem != known:
        events.append(WaitEvent.RECOVERED if problem is None else WaitEvent.PROBLEM)
    return events


def _subject(report: Mapping[str, object] | None) -> tuple[object, object] | None:
    # Before the first answer, the status may be that of an earlier run.
    return None if report is None or report["polled_at"] is None else (report["version"], report["status"])


def _cause(report: Mapping[str, object] | None) -> object:
    problem = None if report is None else report["problem"]
    return problem["cause"] if isinstance(problem, Mapping) else None


def _training_json(training: Snapshot | None) -> dict[str, object]:
    if training is None:
        return {"version": None, "status": None, "first_seen_at": None, "changed": None, **_start_json(None)}
    changed = (
        None
        if training.changed_after is None or training.changed_before is None
        else Bounds(after=training.changed_after, before=training.changed_before)
    )
    return {
        "version": training.ref.version,
        "status": training.status,
        "first_seen_at": to_text(training.first_seen_at),
        "changed": _bounds_json(changed),
        **_start_json(training),
    }


def _start_json(training: Snapshot | None) -> dict[str, object]:
    """Return the start of a run, or since when polls have seen it, where none saw it start."""
    run = None if training is None else training.run
    if training is None or run is None:
        return {"started": None, "seen_since": None}
    if run.start is not None:
        return {"started": _bounds_json(run.start.bounds), "seen_since": None}
    return {"started": None, "seen_since": to_text(run.seen_since(training.first_seen_at))}


def _bounds_json(bounds: Bounds | None) -> dict[str, str] | None:
    return None if bounds is None else {"after": to_text(bounds.after), "before": to_text(bounds.before)}


def _usual_json(usual: UsualFacts) -> dict[str, object]:
    return {
        "median_seconds": _seconds(usual.median),
        "low_seconds": _seconds(usual.low),
        "high_seconds": _seconds(usual.high),
        "runs": usual.runs,
    }


def _end_json(end: EndFacts) -> dict[str, object]:
    return {"median": to_text(end.median), "low": to_text(end.low), "high": to_text(end.high), "runs": end.runs}


def _problem_json(problem: PollProblem) -> dict[str, str]:
    return {"cause": problem.cause.value, "detail": problem.detail, "advice": advice(problem.cause)}


def _seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 3)
