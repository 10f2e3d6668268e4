"""States of the overview as a reader sees them: an outage, and retrainings that are overdue by each rule."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.reports.facts import event
from tests.unit.web.html.test_overview_page import NOW, SERVICE, incident, overview, poll, status
from watcher.core.delivery.reason import http_reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.event import Kind
from watcher.core.health.problems import REMEDIES, ProblemCode
from watcher.core.messages.advice import advice
from watcher.core.polling.result import Cause, PollState
from watcher.core.training.absence import Missing, OverdueFacts
from watcher.core.training.comparison import UsualFacts
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.reports.overview import OpenKind, OpenProblem, Overview, ReceiverRow, ServiceRow
from watcher.reports.runs.progress import Progress
from watcher.reports.status import KnownTraining
from watcher.store.runs.latest import TypeRef
from watcher.store.views import EventHistory
from watcher.web.html.fleet.filter import OverviewFilter
from watcher.web.html.language.texts import Texts
from watcher.web.html.live import parts_of
from watcher.web.html.overview_page import overview_values
from watcher.web.html.renderer import Renderer
from watcher.web.html.session import Session
from watcher.web.html.shapes import time_bar, usual_end

REF = TrainingRef("main", "6wxgu1abcde", "pop", "v1")
START = NOW - timedelta(hours=2)
SEEN = NOW - timedelta(minutes=100)
USUAL = UsualFacts(
    median=timedelta(minutes=60),
    low=timedelta(minutes=50),
    high=timedelta(minutes=70),
    longest=timedelta(minutes=80),
    runs=9,
)
SHOWN = ServiceRow(service=SERVICE, name=None, labels={}, types=())


def progress() -> Progress:
    begun = Bounds(after=START, before=START)
    start = RunStart(started_after=START, started_before=START)
    run = CurrentRun(start=start, stages=(Stage(status="learning", entered=begun),))
    return Progress(run=run, usual=USUAL, expected=None)


def training(seen: datetime = SEEN) -> KnownTraining:
    found = progress()
    snapshot = Snapshot(ref=REF, status="learning", seen_after=SEEN, first_seen_at=START, run=found.run)
    return KnownTraining(snapshot=snapshot, name=None, last_seen=seen, watched=True, progress=found)


def page(failures: int, seen: datetime = SEEN) -> Overview:
    incidents = (incident("account:main"),) if failures else ()
    found = overview(replace(status(polls=(poll(failures),), incidents=incidents), trainings=(training(seen),)))
    return replace(found, services=[SHOWN])


def starting_page() -> Overview:
    return overview(status(polls=(replace(poll(0), state=PollState(key="x")),)))


def html_of(found: Overview) -> str:
    renderer = Renderer()
    values = overview_values(found, OverviewFilter(), renderer.texts)
    return renderer.html("overview.html", Session(can_sign_in=False), NOW, **values)


def text_of(found: Overview) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html_of(found)))


def test_a_template_that_an_upgrade_replaces_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer, values = Renderer(), overview_values(page(0), OverviewFilter(), Texts())
    before = renderer.html("overview.html", Session(can_sign_in=False), NOW, **values)
    monkeypatch.setattr("os.path.getmtime", lambda _: 0.0)
    monkeypatch.setattr("jinja2.PackageLoader.get_source", lambda *_: ("new", None, None))
    assert renderer.html("overview.html", Session(can_sign_in=False), NOW, **values) == before


@pytest.mark.parametrize(("untried", "text"), [(True, "Not polled yet"), (False, "no run yet")])
def test_a_service_without_a_run_says_whether_it_was_polled(*, untried: bool, text: str) -> None:
    found = replace(starting_page(), services=[replace(SHOWN, untried=untried)])
    assert f"6wxgu1abcde {text}" in text_of(found)


def test_a_training_that_cannot_be_polled_may_have_ended() -> None:
    text = text_of(page(failures=7))
    assert "may have ended" in text
    assert "20 min known" in text
    assert "Stuck and overdue are not judged meanwhile." in text
    assert "Failed polls 7 in a row" in text


def test_a_training_that_was_late_when_polled_last_has_no_expected_end() -> None:
    late = page(failures=7, seen=NOW - timedelta(minutes=10))
    assert "longer than usual may have ended" in text_of(late)


def test_a_training_that_is_polled_has_not_ended() -> None:
    assert page(failures=0).unpolled == {}
    assert "may have ended" not in text_of(page(failures=0))


def test_a_poll_that_fails_before_its_incident_leaves_the_training_polled() -> None:
    found = overview(replace(status(polls=(poll(1),)), trainings=(training(),)))
    assert found.unpolled == {}


def test_the_time_bar_is_known_until_the_last_answer() -> None:
    bar = time_bar(progress(), NOW, SEEN)
    assert bar is not None
    (segment,) = bar.segments
    assert (segment.width, bar.unpolled, bar.late) == ("15.72%", "15.72%", False)
    whole = time_bar(progress(), NOW)
    assert whole is not None
    assert (whole.unpolled, whole.late) == (None, True)


@pytest.mark.parametrize(
    ("seen", "now", "ended", "over"),
    [
        (SEEN, START + timedelta(minutes=49), False, False),
        (SEEN, START + timedelta(minutes=50), True, False),
        (START + timedelta(minutes=90), START + timedelta(minutes=91), True, True),
    ],
)
def test_a_usual_end_is_never_before_the_last_answer(seen: datetime, now: datetime, *, ended: bool, over: bool) -> None:
    found = usual_end(progress(), seen, now)
    assert found is not None
    assert (found.may_have_ended, found.low >= seen, found.was_over) == (ended, True, over)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"starts": None}, "expect_every is 3 h."),
        ({"starts": 12}, "it starts every 3 h (12 starts known)."),
        ({"starts": None, "by_cycle": True}, "the cycle of the service is 3 h."),
        ({"starts": None, "missing": Missing.COMPLETED}, "stale_after is 3 h."),
    ],
)
def test_an_overdue_retraining_says_since_when_and_by_which_rule(facts: dict[str, Any], text: str) -> None:
    due = NOW - timedelta(minutes=40)
    given: dict[str, Any] = {"missing": Missing.START, **facts}
    overdue = OverdueFacts(last=None, expected_at=due, deadline=due, period=timedelta(hours=3), **given)
    about = event(kind=Kind.OVERDUE, overdue=overdue)
    problem = OpenProblem(
        kind=OpenKind.OVERDUE,
        of=TypeRef("main", "6wxgu1abcde", "pop"),
        version=None,
        status="start",
        since=NOW - timedelta(hours=9),
        missing=overdue.missing,
        event=EventHistory(event=about, routed_at=NOW, route=None, delivery_outcomes=()),
    )
    found = replace(overview(status()), problems=[problem], services=[SHOWN])
    html = html_of(found)
    assert text in html
    assert re.search(r'class="when"><b><time[^>]*>40 min ago', html)


def test_a_poll_that_fails_before_its_incident_has_its_remedy() -> None:
    html = html_of(overview(status(polls=(poll(1),))))
    assert advice(Cause.CONNECT) in html


def test_a_failing_receiver_has_its_remedy() -> None:
    failing = ReceiverState(name="ops", failing_since=NOW, reason=http_reason(404))
    row = ReceiverRow(name="ops", kind="webhook", failing=failing, waiting=9)
    html = html_of(replace(overview(status()), receivers=[row]))
    assert f"9 deliveries wait. {REMEDIES[ProblemCode.RECEIVER_FAILING]}" in html


def test_the_parts_of_the_page_are_the_same_in_each_state() -> None:
    """A page whose parts differ must be loaded as a whole, which takes a text from somebody who types."""
    fine, outage, busy = overview(status(polls=(poll(0),))), page(failures=7), page(failures=0)
    failing = overview(status(polls=(poll(1),)))
    found = [parts_of(html_of(state)).keys() for state in (fine, outage, busy, failing, starting_page())]
    assert all(parts == found[0] for parts in found)
    assert {"live-problems", "live-outages", "live-progress", "live-steps", "live-time"} <= found[0]
