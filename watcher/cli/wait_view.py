"""The output of ``wait``: lines, JSON lines, or lines above a live line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final, TextIO

from watcher.cli.text.output import cell, say
from watcher.cli.text.times import local_times
from watcher.cli.text.wait import Report, end_line, live_line, run_duration, status_line, waiting_line
from watcher.core.timestamps import to_text
from watcher.core.training.waiting import WaitOutcome
from watcher.reports.runs.wait_request import WaitRequest
from watcher.reports.runs.waiting import WaitEvent, events_between

ERASE: Final = "\r\x1b[2K"
"""Cursor to the begin of the line, clear the line (ECMA-48)."""


class OutputClosedError(Exception):
    """Standard output takes no more; ``problem`` is ``None`` where only its reader has gone."""

    def __init__(self, problem: str | None) -> None:
        super().__init__(problem or "the reader has gone")
        self.problem = problem


class WaitView:
    """Shows the reports of one wait.

    Args:
        stream: standard output.
        now: returns the time, UTC.
        as_json: whether to write one JSON line an event.
        live: whether to keep a line up to date.
        request: the arguments of the command.
    """

    def __init__(
        self, stream: TextIO, now: Callable[[], datetime], request: WaitRequest, *, as_json: bool, live: bool
    ) -> None:
        self._stream = stream
        self._now = now
        self._as_json = as_json
        self.live = live and not as_json
        self._request = request
        self._began_at = now()
        self._started: dict[str, str] | None = None
        """The start of the latest run that was in progress."""
        self.latest: Report | None = None

    def report(self, report: Report) -> None:
        """Write the lines that a report is worth.

        Raises:
            OutputClosedError: standard output takes no more.
        """
        before, self.latest = self.latest, report
        self._started = report["started"] or self._started
        for event in events_between(before, report):
            self._event(event, report)
        self.draw()

    def problem(self, cause: str, detail: str, advice: str) -> None:
        """Say on standard error why the training cannot be polled, and the remedy."""
        self._erase()
        say(f"cannot poll: {cause}: {detail}\n  {advice}")

    def say(self, text: str) -> None:
        """Write a text to standard error."""
        self._erase()
        say(text)

    def draw(self) -> None:
        """Write the live line again."""
        if self.live:
            times = local_times(os.environ, self._now())
            self._write(ERASE + live_line(self.latest, times, shutil.get_terminal_size().columns))

    def close(self) -> None:
        """Remove the live line."""
        self._erase()

    def end(self, outcome: WaitOutcome, exit_status: int, report: Report | None) -> None:
        """Write the last line, and the problem that ended the wait."""
        for event in [] if report is None else events_between(self.latest, report):
            if self._as_json or event is WaitEvent.PROBLEM:
                self._event(event, report or {})
        report = report or self.latest
        self._erase()
        took = run_duration(self._started, report)
        if not self._as_json:
            self._line(end_line(outcome, report, self._named(), took, self._now() - self._began_at))
            return
        seconds = None if took is None else round(took.total_seconds(), 3)
        own = {"event": WaitEvent.END.value, "outcome": outcome.value, "exit_status": exit_status}
        self._json({**own, "took_seconds": seconds, **(report or {"at": to_text(self._now())})})

    def _named(self) -> str:
        return f"{self._request.service} {self._request.type} {self._request.version or 'latest'}"

    def _event(self, event: WaitEvent, report: Report) -> None:
        problem = report["problem"]
        if event is WaitEvent.PROBLEM:
            self.problem(problem["cause"], problem["detail"], problem["advice"])
        self._erase()
        if self._as_json:
            self._json({"event": event.value, **report})
            return
        times = local_times(os.environ, self._now())
        match event:
            case WaitEvent.STATUS:
                self._line(f"{times.time(times.now)} {status_line(report, times)}")
            case WaitEvent.WAITING:
                self._line(f"{times.time(times.now)} {waiting_line(report, self._request.after)}")
            case WaitEvent.RECOVERED:
                self.say("polling succeeds again")

    def _json(self, document: object) -> None:
        self._write(json.dumps(document) + "\n")

    def _line(self, text: str) -> None:
        self._write(cell(text).text + "\n")

    def _erase(self) -> None:
        if self.live:
            self._write(ERASE)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise OutputClosedError(None) from None
        except OSError as error:
            raise OutputClosedError(error.strerror) from None


def standard_view(now: Callable[[], datetime], request: WaitRequest, *, as_json: bool) -> WaitView:
    """Return the view on standard output; live on a terminal."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return WaitView(sys.stdout, now, request, as_json=as_json, live=live)
