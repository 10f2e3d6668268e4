"""The problems that ``status``, ``doctor`` and ``/readyz`` share."""

from __future__ import annotations

import pytest

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
    health = read_health(health_json(reasons, problems))
    assert (health.reasons, health.problems) == (reasons, problems)


def test_an_older_daemon_sends_its_reasons_alone() -> None:
    health = read_health({"reasons": [{"reason": "loop-late", "detail": "why"}]})
    assert [reason.code for reason in health.reasons] == [NotReady.LOOP]
    assert health.problems == ()


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
