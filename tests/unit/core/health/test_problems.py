"""The problems that ``status``, ``doctor`` and ``/readyz`` share."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from watcher.core.health.daemon_figures import AccountRequests, DaemonFigures
from watcher.core.health.problems import (
    NO_PROBLEM,
    REMEDIES,
    DaemonHealth,
    DaemonState,
    Problem,
    ProblemCode,
    health_json,
    problem_of,
    read_health,
    stops_alerts,
    worst_first,
)
from watcher.core.health.readiness import NotReady, NotReadyReason

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
FACTS = DaemonFigures(
    version="1.2",
    started_at=NOW,
    lateness_seconds=0.4,
    requests=[AccountRequests(account="main", per_second=0.2, allowed_per_second=1.0)],
    heartbeat="sent",
    heartbeat_at=NOW,
    store_bytes=7,
    next_polls={"main": NOW},
)


@pytest.mark.parametrize("code", sorted(set(NotReady) - NO_PROBLEM))
def test_every_reason_of_readyz_is_a_problem_with_the_same_code(code: NotReady) -> None:
    problem = problem_of(NotReadyReason(code=code, detail="why"))
    assert (problem.code.value, problem.text) == (code.value, "why")


@pytest.mark.parametrize(
    ("codes", "stopping"),
    [
        ([NotReady.EVENTS_UNROUTED], ["events-unrouted"]),
        ([NotReady.EVENTS_UNROUTED, NotReady.STORE_FAILING], ["store-failing", "events-unrouted"]),
        ([NotReady.RECEIVER_FAILING, NotReady.STORE], ["store-unreadable"]),
        ([NotReady.RECEIVER_FAILING, NotReady.FIRST_ROUND, NotReady.LOOP], []),
    ],
)
def test_a_daemon_that_records_or_routes_nothing_sends_no_alerts(codes: list[NotReady], stopping: list[str]) -> None:
    reasons = [NotReadyReason(code=code, detail="why") for code in codes]
    problems = stops_alerts(DaemonHealth(state=DaemonState.RUNNING, reasons=reasons))
    assert [problem.code.value for problem in problems] == stopping


def test_every_problem_has_a_remedy() -> None:
    assert set(REMEDIES) == set(ProblemCode)


def test_the_gravest_problem_comes_first_and_those_of_one_code_keep_their_order() -> None:
    codes = (
        ProblemCode.POLL_FAILING,
        ProblemCode.RECEIVER_FAILING,
        ProblemCode.STORE_FAILING,
        ProblemCode.RECEIVER_FAILING,
        ProblemCode.NO_DAEMON,
    )
    ordered = worst_first(Problem(code=code, text=f"{number}") for number, code in enumerate(codes))
    assert [problem.text for problem in ordered] == ["4", "2", "1", "3", "0"]


def test_reasons_and_other_problems_survive_the_control_socket() -> None:
    reasons = (NotReadyReason(code=NotReady.LOOP, detail="overdue: polling (50 s)"),)
    problems = (Problem(code=ProblemCode.WEB_NOT_LISTENING, text="cannot listen"),)
    sent = DaemonHealth(state=DaemonState.RUNNING, reasons=reasons, problems=problems, facts=FACTS)
    assert read_health(json.loads(json.dumps(health_json(sent)))) == sent


def test_an_older_daemon_sends_its_reasons_alone() -> None:
    health = read_health({"reasons": [{"reason": "loop-late", "detail": "why"}]})
    assert [reason.code for reason in health.reasons] == [NotReady.LOOP]
    assert (health.problems, health.facts) == ((), None)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"reasons": None},
        {"reasons": [], "problems": None},
        {"reasons": [{"reason": "of-tomorrow", "detail": ""}]},
        {"reasons": [], "problems": [{"problem": "of-tomorrow", "detail": ""}]},
    ],
)
def test_the_answer_of_another_version_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"reasons|of-tomorrow"):
        read_health(answer)
