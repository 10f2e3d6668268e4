"""The first line of the overview: it never says that everything is fine where ``status`` says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.reports.facts import event
from watcher.core.delivery.reason import NO_REASON
from watcher.core.delivery.state import State
from watcher.core.health.daemon_figures import DaemonFigures
from watcher.core.health.problems import DaemonHealth, DaemonState, Problem, ProblemCode
from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.core.incidents.model import Incident
from watcher.core.polling.plan import EVERY_SERVICE, Poll
from watcher.core.polling.result import Cause, PollState
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef
from watcher.reports.overview import OpenKind, OpenProblem, Overview, ReceiverRow
from watcher.reports.status import PollReport, StatusReport
from watcher.reports.trainings import TrainingTotals
from watcher.store.runs.latest import TypeRef
from watcher.store.views import DeliveryOutcome, EventHistory
from watcher.web.html.fleet.filter import OverviewFilter
from watcher.web.html.language.texts import Texts
from watcher.web.html.overview_page import notified_text, overview_values

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SERVICE = ServiceRef("main", "6wxgu1abcde")


def overview(status: StatusReport, receivers: tuple[ReceiverRow, ...] = ()) -> Overview:
    return Overview(status=status, names={}, problems=(), services=(), receivers=receivers, ends=())


def status(
    polls: tuple[PollReport, ...] = (), incidents: tuple[Incident, ...] = (), problems: tuple[Problem, ...] = ()
) -> StatusReport:
    return StatusReport(
        at=NOW,
        trainings=(),
        totals=TrainingTotals(),
        polls=polls,
        incidents=incidents,
        queues=(),
        failed_deliveries=(),
        receivers=frozenset(),
        daemon=DaemonHealth(state=DaemonState.RUNNING, problems=problems),
    )


def headline(page: Overview, wanted: OverviewFilter | None = None) -> str:
    return str(overview_values(page, wanted or OverviewFilter(), Texts())["headline"])


def poll(failures: int, service: ServiceRef = SERVICE) -> PollReport:
    found = Poll(service=service, cadence=Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(minutes=5)))
    state = PollState(key=found.key, good_answered_at=NOW, failures=failures, cause=Cause.CONNECT, detail="refused")
    return PollReport(poll=found, state=state)


def incident(subject: str) -> Incident:
    return Incident(
        id="inc_1", subject=subject, cause=Cause.CONNECT, detail="x", since=NOW, last_good_at=None, opened_at=NOW
    )


@pytest.mark.parametrize("code", ProblemCode)
def test_each_problem_of_status_is_counted_in_the_first_line(code: ProblemCode) -> None:
    report = status(problems=(Problem(code=code, text="x"),))
    assert report.summary.startswith("NOT OK")
    assert headline(overview(report)) == "1 open problem"


def test_a_poll_that_fails_is_a_problem_before_its_incident_opens() -> None:
    page = overview(status(polls=(poll(1), poll(0, ServiceRef("main", "other")))))
    assert headline(page) == "1 open problem"
    (failing,) = page.failing_polls
    assert (failing.account, failing.detail, len(failing.polls)) == ("main", "refused", 1)


@pytest.mark.parametrize("subject", ["account:main", "service:main/6wxgu1abcde"])
def test_a_poll_that_an_incident_is_about_is_counted_once(subject: str) -> None:
    page = overview(status(polls=(poll(3),), incidents=(incident(subject),)))
    assert (page.failing_polls, headline(page)) == ([], "1 open problem")


def test_an_incident_about_updates_hides_no_poll_that_fails() -> None:
    page = overview(status(polls=(poll(1),), incidents=(incident("updates:main"),)))
    assert headline(page) == "2 open problems"


def test_a_start_with_a_problem_says_so_instead_of_waiting() -> None:
    untried = replace(poll(0), state=PollState(key="x"))
    assert headline(overview(status(polls=(untried,)))) == "The first poll is running"
    assert headline(overview(status(polls=(untried, poll(1))))) == "1 open problem"


def test_a_page_is_not_fine_before_each_poll_has_an_answer() -> None:
    untried = replace(poll(0), state=PollState(key="x"))
    known = replace(status(polls=(untried, poll(0))), totals=TrainingTotals(by_status={"completed": 1}))
    values = overview_values(overview(known), OverviewFilter(), Texts())
    assert (values["headline"], values["steps"]) == ("The first poll is running", ())
    assert values["subline"] == "1 of 2 polls have an answer. No training is in progress."
    assert values["watcher_state"] == ("starting", "m")


PENDING = NotReadyReason(code=NotReady.FIRST_ROUND, detail="x")
FAILING = NotReadyReason(code=NotReady.RECEIVER_FAILING, detail="x")


def answering(report: StatusReport, *reasons: NotReadyReason) -> Overview:
    return overview(replace(report, daemon=DaemonHealth(state=DaemonState.RUNNING, reasons=reasons)))


def test_a_page_is_not_fine_before_each_poll_has_an_answer_since_the_start() -> None:
    page = answering(replace(status(polls=(poll(0),)), totals=TrainingTotals(by_status={"completed": 1})), PENDING)
    values = overview_values(page, OverviewFilter(), Texts())
    assert (values["headline"], values["steps"]) == ("The first poll is running", ())
    assert values["subline"] == "Not everything was polled since the start. No training is in progress."
    assert values["watcher_state"] == ("starting", "m")
    assert page.status.summary.startswith("STARTING: ")
    assert not page.is_polled(SERVICE)


def test_an_answer_of_before_the_start_does_not_say_that_aitems_answers() -> None:
    report = replace(status(polls=(poll(0),)), totals=TrainingTotals(by_status={"completed": 1}))
    for started, answers in ((NOW - timedelta(hours=1), True), (NOW + timedelta(seconds=1), False)):
        facts = DaemonFigures(version="1", started_at=started)
        page = overview(replace(report, daemon=DaemonHealth(state=DaemonState.RUNNING, facts=facts)))
        assert overview_values(page, OverviewFilter(), Texts())["answers"] is answers


def test_with_a_problem_the_page_says_that_it_is_starting_as_well() -> None:
    page = answering(status(polls=(poll(1),)), PENDING)
    subline = overview_values(page, OverviewFilter(), Texts())["subline"]
    assert str(subline).startswith("Not everything was polled since the start.")


def test_a_receiver_that_got_nothing_is_not_said_to_work() -> None:
    rows = [
        ReceiverRow(name="a", kind="log", failing=None),
        ReceiverRow(name="b", kind="log", failing=None, delivered=1),
    ]
    assert [row.works for row in rows] == [False, True]
    assert [row.name for row in overview(status(), tuple(rows)).working_receivers] == ["b"]


def test_a_watcher_without_a_service_says_how_to_add_one() -> None:
    discovering = poll(0, ServiceRef("main", EVERY_SERVICE))
    page = overview(status(polls=(discovering,)))
    values = overview_values(page, OverviewFilter(), Texts())
    assert (values["headline"], values["steps_title"]) == ("Nothing is polled yet", "Add a service")
    assert "[[watch]]" in str(values["steps"])
    assert page.status.summary.startswith("NOTHING POLLED: ")


@pytest.mark.parametrize(
    ("reasons", "state"),
    [
        ((), ("ready", "ok")),
        ((FAILING,), ("not ready", "warn")),
        ((PENDING, FAILING), ("starting", "m")),
    ],
)
def test_the_watcher_is_ready_where_readyz_says_so(reasons: tuple[NotReadyReason, ...], state: tuple[str, str]) -> None:
    page = answering(status(polls=(poll(0),)), *reasons)
    assert overview_values(page, OverviewFilter(), Texts())["watcher_state"] == state


def test_a_service_that_an_outage_is_about_is_not_polled() -> None:
    other = ServiceRef("labs", "other")
    page = overview(status(polls=(poll(3), poll(0, other)), incidents=(incident("account:main"),)))
    assert (page.is_polled(SERVICE), page.is_polled(other)) == (False, True)
    assert overview(status(polls=(poll(3),))).is_polled(SERVICE)


def test_a_filter_says_how_many_problems_it_leaves_out() -> None:
    of = TypeRef("main", "other", "pop")
    problem = OpenProblem(kind=OpenKind.OVERDUE, of=of, version=None, status="start", since=NOW)
    page = replace(overview(status()), problems=[problem])
    assert headline(page, OverviewFilter(text="shop")) == "0 open problems here, 1 elsewhere"


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({"a": State.DELIVERED, "b": State.PENDING}, "Notified <b>a</b>, not yet <b>b</b>"),
        ({"a": State.SILENCED}, "silenced for <b>a</b>"),
        ({"a": State.DEAD, "b": State.HELD}, "not delivered to <b>a</b>, <b>b</b>"),
        ({}, "Nobody was notified."),
    ],
)
def test_a_problem_says_who_was_notified(states: dict[str, State], text: str) -> None:
    outcomes = tuple(
        DeliveryOutcome(
            receiver=name,
            receiver_seq=1,
            delivery_id=name,
            state=state,
            reason=NO_REASON,
            attempts=1,
            settled_at=None,
            answer=None,
        )
        for name, state in states.items()
    )
    history = EventHistory(event=event(), routed_at=NOW, route=None, delivery_outcomes=outcomes)
    assert str(notified_text(history, Texts())) == text


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("account:main", "Account main"),
        ("updates:main", "Access to updates of account main"),
        ("service:main/*", "The list of services of account main"),
        ("service:main/6wxgu1abcde", "6wxgu1abcde"),
        ("training:main/6wxgu1abcde/pop/v1", "6wxgu1abcde pop v1"),
    ],
)
def test_an_outage_is_named(subject: str, name: str) -> None:
    found = incident(subject)
    values = overview_values(overview(status(incidents=(found,))), OverviewFilter(), Texts())
    named = values["outage_name"]
    assert callable(named)
    assert str(named(found)) == name


@pytest.mark.parametrize(
    ("services", "name"),
    [(["6wxgu1abcde"], "6wxgu1abcde"), (["*"], "The list of services of account main"), (["a", "b"], "Account main")],
)
def test_polls_that_fail_are_named(services: list[str], name: str) -> None:
    page = overview(status(polls=tuple(poll(1, ServiceRef("main", service)) for service in services)))
    named = overview_values(page, OverviewFilter(), Texts())["poll_subject"]
    assert callable(named)
    assert [str(named(item)) for item in page.failing_polls] == [name]


def test_each_failing_poll_is_compared_once_however_many_incidents_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    services = [ServiceRef("main", f"s{number}") for number in range(9)]
    polls = tuple(poll(3, service) for service in services)
    incidents = tuple(replace(incident(service.subject), id=service.subject) for service in services[:8])
    page, compared = overview(status(polls=polls, incidents=incidents)), list[ServiceRef]()

    def subject(service: ServiceRef) -> str:
        compared.append(service)
        return f"service:{service.account}/{service.service}"

    monkeypatch.setattr(ServiceRef, "subject", property(subject))
    (failing,) = page.failing_polls
    assert [item.poll.service for item in failing.polls] == services[8:]
    assert compared == services
