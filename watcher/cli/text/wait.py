"""The lines of ``wait``: one a change, and on a terminal a live line with a bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from watcher.cli.text.output import cell
from watcher.cli.text.times import LocalTimes, duration_text
from watcher.core.text_width import shortened
from watcher.core.timestamps import from_text
from watcher.core.training.waiting import WaitOutcome

Report = Mapping[str, Any]
"""A report of a wait, see ``reports.runs.waiting``."""

BAR_WIDTH: Final = 20
NO_STATUS: Final = "not confirmed yet"


def name_of(report: Report) -> str:
    """Name the training, or the version that the wait is for."""
    return cell(f"{report['service']} {report['type']} {report['version'] or 'latest'}").text


def status_line(report: Report, times: LocalTimes) -> str:
    """Write the line about a status, with the time in it, the expected end and the usual duration."""
    status = cell(report["status"] or NO_STATUS).text
    return f"{name_of(report)}: " + ", ".join([status, *_details(report, times)])


def waiting_line(report: Report, after: str | None) -> str:
    """Write the line about a version that does not exist yet."""
    newer = "no version yet" if after is None else f"no version newer than {after} yet"
    return cell(f"{report['service']} {report['type']}: {newer}").text


def live_line(report: Report | None, times: LocalTimes, columns: int) -> str:
    """Write the line that a terminal keeps up to date."""
    if report is None or report["polled_at"] is None:
        return "the first poll is in progress"
    if report["version"] is None:
        return shortened(waiting_line(report, None), columns - 1)
    parts = [cell(report["status"] or NO_STATUS).text, *_details(report, times, usual=False)]
    if (bar := bar_text(report, times.now)) is not None:
        parts.append(bar)
    if report["problem"] is not None:
        parts.append("not polled at present")
    return shortened(f"{name_of(report)}  {'  '.join(parts)}", columns - 1)


def bar_text(report: Report, now: datetime) -> str | None:
    """Draw the time so far against the usual duration; ``None`` where one of them is not known."""
    elapsed, usual = elapsed_of(report, now), report["usual"]
    if elapsed is None or usual is None or usual["median_seconds"] <= 0:
        return None
    share = elapsed.total_seconds() / usual["median_seconds"]
    filled = min(int(share * BAR_WIDTH), BAR_WIDTH)
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {share:.0%} of usual"


def end_line(outcome: WaitOutcome, report: Report | None, named: str, took: timedelta | None, waited: timedelta) -> str:
    """Write the last line.

    Args:
        outcome: the end of the wait.
        report: the last report; ``None`` where there was none.
        named: the training as the command line names it.
        took: the duration of the run, where its start and end are known.
        waited: the time since the begin of the wait.
    """
    name = cell(named).text if report is None or report["version"] is None else name_of(report)
    status = "" if report is None else cell(report["status"] or "").text
    after = "" if took is None else f" after {duration_text(took)}"
    match outcome:
        case WaitOutcome.COMPLETED:
            return f"{name}: completed{after}"
        case WaitOutcome.FAILED:
            return f"{name}: failed{after}: {status}"
        case WaitOutcome.STOPPED:
            return f"{name}: stopped: it is {status} again without an end"
        case WaitOutcome.GONE:
            return f"{name}: gone: AiTEMS does not have it any more"
        case WaitOutcome.TIMED_OUT:
            return f"{name}: timed out after {duration_text(waited)}" + (f": {status}" if status else "")
        case _:
            return f"{name}: cannot be polled"


def elapsed_of(report: Report, now: datetime) -> timedelta | None:
    """Return the time since the start of the run; ``None`` where that is not known."""
    started = report["started"]
    return None if started is None else now - _middle(started)


def run_duration(started: Mapping[str, str] | None, report: Report | None) -> timedelta | None:
    """Return the duration of a run that ended with the last change of status."""
    if started is None or report is None or report["changed"] is None:
        return None
    return _middle(report["changed"]) - _middle(started)


def _details(report: Report, times: LocalTimes, *, usual: bool = True) -> Iterator[str]:
    if (elapsed := elapsed_of(report, times.now)) is not None:
        yield f"{duration_text(elapsed)} so far"
    elif report.get("seen_since") is not None:
        yield f"at least {duration_text(times.now - from_text(report['seen_since']))} so far"
    end, known = report["expected_end"], report["usual"]
    if end is not None:
        low, high = (_minute(end[key], times) for key in ("low", "high"))
        yield f"ends about {_minute(end['median'], times)} ({low} to {high})"
    elif known is not None and elapsed is not None:
        yield "longer than usual"
    if usual and known is not None:
        low, high = (duration_text(timedelta(seconds=known[key])) for key in ("low_seconds", "high_seconds"))
        yield f"usually {low} to {high} ({known['runs']} runs)"


def _minute(text: str, times: LocalTimes) -> str:
    """Write a time of the future without its seconds, which nobody knows."""
    return times.time(from_text(text)).removesuffix(from_text(text).strftime(":%S"))


def _middle(bounds: Mapping[str, str]) -> datetime:
    after, before = from_text(bounds["after"]), from_text(bounds["before"])
    return after + (before - after) / 2
