"""The problems that ``status``, ``doctor`` and ``/readyz`` share."""

from __future__ import annotations

import pytest

from watcher.core.health.problems import (
    NO_PROBLEM,
    REMEDIES,
    Problem,
    ProblemCode,
    problem_of,
    read_reasons,
    reasons_json,
    worst_first,
)
from watcher.core.health.readiness import NotReady, NotReadyReason


@pytest.mark.parametrize("code", sorted(set(NotReady) - NO_PROBLEM))
def test_every_reason_of_readyz_is_a_problem_with_the_same_code(code: NotReady) -> None:
    problem = problem_of(NotReadyReason(code=code, detail="why"))
    assert (problem.code.value, problem.text) == (code.value, "why")


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


def test_reasons_survive_the_control_socket() -> None:
    reasons = (NotReadyReason(code=NotReady.LOOP, detail="overdue: polling (50 s)"),)
    assert read_reasons(reasons_json(reasons)) == reasons


@pytest.mark.parametrize("answer", [{}, {"reasons": None}, {"reasons": [{"reason": "of-tomorrow", "detail": ""}]}])
def test_the_answer_of_another_version_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"reasons|of-tomorrow"):
        read_reasons(answer)
