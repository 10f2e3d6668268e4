"""The output of ``wait``: lines, JSON lines, and the live line of a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.cli.text.times import local_times
from watcher.cli.text.wait import live_line
from watcher.cli.wait_view import ERASE, OutputClosedError, WaitView
from watcher.core.durations.current_run import CurrentRun, RunStart, Stage
from watcher.core.polling.result import Cause
from watcher.core.text_width import width
from watcher.core.training.comparison import EndFacts, UsualFacts
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.waiting import PollProblem, WaitOutcome, WaitProgress, WaitReport, WaitTarget
from watcher.reports.runs.wait_request import AmbiguousServiceError, WaitRequest, only_match
from watcher.reports.runs.waiting import wait_json

NOW = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TARGET = WaitTarget(service=ServiceRef("main", "svc"), type="pop")
REQUEST = WaitRequest(service="shop", type="pop", after="v0")
USUAL = UsualFacts(median=50 * MINUTE, low=48 * MINUTE, high=61 * MINUTE, longest=70 * MINUTE, runs=23)
END = EndFacts(median=NOW + 20 * MINUTE, low=NOW + 5 * MINUTE, high=NOW + 50 * MINUTE, runs=23)
LEARNING = Snapshot(
    ref=TrainingRef("main", "svc", "pop", "v1"),
    status="learning",
    seen_after=NOW,
    first_seen_at=NOW,
    changed_after=NOW - 31 * MINUTE,
    changed_before=NOW - 29 * MINUTE,
    run=CurrentRun(
        start=RunStart(started_after=NOW - 31 * MINUTE, started_before=NOW - 29 * MINUTE),
        stages=(Stage(status="learning", entered=None),),
    ),
)


def report(training: Snapshot | None, problem: Cause | None = None, *, estimated: bool = False) -> dict[str, Any]:
    progress = WaitProgress(
        target=TARGET,
        began_at=NOW,
        training=training,
        answered_at=NOW,
        problem=None if problem is None else PollProblem(cause=problem, detail="HTTP 503"),
    )
    usual, end = (USUAL, END) if estimated else (None, None)
    return wait_json(WaitReport(progress=progress, at=NOW, usual=usual, expected_end=end))


def shown(
    reports: Iterable[dict[str, Any]],
    end: WaitOutcome | None = None,
    last: dict[str, Any] | None = None,
    *,
    as_json: bool = False,
    live: bool = False,
) -> str:
    """Return the output after these reports."""
    out = io.StringIO()
    view = WaitView(out, lambda: NOW, REQUEST, as_json=as_json, live=live)
    for item in reports:
        view.report(item)
    if end is not None:
        view.end(end, 0, last)
    return out.getvalue()


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "200")


def test_each_change_is_one_line_and_a_report_without_one_is_none() -> None:
    ended = report(replace(LEARNING, status="completed", run=None, changed_after=NOW, changed_before=NOW))
    out = shown([report(None), report(None), report(LEARNING), report(LEARNING)], WaitOutcome.COMPLETED, ended)
    assert out.splitlines() == [
        "14:00:00 svc pop: no version newer than v0 yet",
        "14:00:00 svc pop v1: learning, 30m so far",
        "svc pop v1: completed after 30m",
    ]


def test_a_line_has_the_expected_end_and_the_usual_duration_where_they_are_known() -> None:
    assert shown([report(LEARNING, estimated=True)]).splitlines() == [
        "14:00:00 svc pop v1: learning, 30m so far, ends about 14:20 (14:05 to 14:50), usually 48m to 1h1m (23 runs)"
    ]


def test_a_terminal_keeps_one_line_up_to_date_with_a_bar_against_the_usual_duration() -> None:
    drawn = shown([report(LEARNING, estimated=True)], live=True).split(ERASE)
    assert drawn[-1] == (
        "svc pop v1  learning  30m so far  ends about 14:20 (14:05 to 14:50)  [############........] 60% of usual"
    )
    assert "%" not in shown([report(LEARNING)], live=True)
    assert "not polled at present" in shown([report(LEARNING, Cause.SERVER)], live=True)


def test_before_the_first_answer_no_status_is_shown() -> None:
    old = {**report(replace(LEARNING, status="completed", run=None)), "polled_at": None}
    assert shown([old]) == ""
    assert shown([old], live=True).endswith("the first poll is in progress")


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (WaitOutcome.COMPLETED, "svc pop v1: completed"),
        (WaitOutcome.FAILED, "svc pop v1: failed: learning"),
        (WaitOutcome.STOPPED, "svc pop v1: stopped: it is learning again without an end"),
        (WaitOutcome.GONE, "svc pop v1: gone: AiTEMS does not have it any more"),
        (WaitOutcome.TIMED_OUT, "svc pop v1: timed out after 0s: learning"),
        (WaitOutcome.CANNOT_POLL, "svc pop v1: cannot be polled"),
    ],
)
def test_the_last_line_says_how_the_wait_ended(outcome: WaitOutcome, line: str) -> None:
    assert shown([], outcome, report(replace(LEARNING, run=None))) == f"{line}\n"


def test_a_wait_without_any_answer_names_the_training_as_the_command_line_did() -> None:
    assert shown([], WaitOutcome.TIMED_OUT) == "shop pop latest: timed out after 0s\n"


def test_json_has_one_line_an_event_and_the_end_at_last() -> None:
    out = shown([report(None), report(LEARNING, Cause.SERVER), report(LEARNING)], WaitOutcome.FAILED, as_json=True)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == ["waiting", "status", "problem", "recovered", "end"]
    assert (lines[-1]["outcome"], lines[-1]["version"]) == ("failed", "v1")
    assert lines[2]["problem"]["cause"] == "server-error"
    assert lines[1]["started"] == {"after": "2026-11-29T13:29:00.000000Z", "before": "2026-11-29T13:31:00.000000Z"}


def test_a_problem_is_said_once_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    shown([report(LEARNING, Cause.SERVER), report(LEARNING, Cause.SERVER)])
    assert capsys.readouterr().err.count("cannot poll: server-error: HTTP 503") == 1


@pytest.mark.parametrize(("error", "problem"), [(BrokenPipeError(), None), (OSError(28, "no space"), "no space")])
def test_an_output_that_takes_no_more_ends_the_wait(error: OSError, problem: str | None) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise error

    view = WaitView(Closed(), lambda: NOW, REQUEST, as_json=False, live=False)
    with pytest.raises(OutputClosedError) as ended:
        view.report(report(LEARNING))
    assert ended.value.problem == problem


@pytest.mark.parametrize(
    ("text", "account", "found"),
    [
        ("svc", None, "svc"),
        ("shop", None, "svc"),
        ("main/shop", None, "svc"),
        ("main/svc", "main", "svc"),
        ("both", "main", "svc"),
        ("svc", "other", None),
        ("nosuch", None, None),
    ],
)
def test_a_service_is_named_by_id_or_name_with_or_without_its_account(
    text: str, account: str | None, found: str | None
) -> None:
    names = {ServiceRef("main", "svc"): ["shop", "both"], ServiceRef("other", "svd"): ["both"]}
    service = only_match(WaitRequest(service=text, type="pop", account=account), names)
    assert (None if service is None else service.service) == found
    with pytest.raises(AmbiguousServiceError, match="main/svc, other/svd"):
        only_match(WaitRequest(service="both", type="pop"), names)


@pytest.mark.parametrize("training", [LEARNING, None])
def test_a_live_line_with_wide_letters_fits_into_one_row(training: Snapshot | None) -> None:
    # A longer one would take two rows, of which the next one erases only the last.
    named = {**report(training), "service": "뉴스" * 30}
    assert width(live_line(named, local_times({"TZ": "UTC"}, NOW), 40)) <= 39
