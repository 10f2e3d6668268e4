"""The verdicts of ``doctor``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from watcher.core.health.problems import Problem, ProblemCode, problem_of
from watcher.core.health.readiness import HealthStats, not_ready_reasons
from watcher.reports.doctor import (
    LITTLE_SPACE,
    NO_SPACE,
    CheckVerdict,
    DaemonFacts,
    DoctorCheck,
    SecretFacts,
    StoreFacts,
    daemon_check,
    disk_check,
    online_verdicts,
    problem_checks,
    secret_check,
    store_checks,
)
from watcher.reports.online import failed, passed

STORE = StoreFacts(path="watcher.db", schema="0002", known_schemas=frozenset({"0001", "0002"}), deviations=())
SECRET = SecretFacts(key="account.main.secret_key", source="file key")


def verdicts(facts: StoreFacts) -> dict[str, CheckVerdict]:
    return {check.about: check.verdict for check in store_checks(facts)}


def test_an_intact_store_with_the_present_schema_passes() -> None:
    assert set(verdicts(STORE).values()) == {CheckVerdict.OK}


@pytest.mark.parametrize(
    ("facts", "about", "verdict"),
    [
        (replace(STORE, exists=False), "store", CheckVerdict.WARNING),
        (replace(STORE, error="unable to open"), "store", CheckVerdict.FAULT),
        (replace(STORE, damage="row 7 missing"), "store", CheckVerdict.FAULT),
        (replace(STORE, schema="0001", deviations=None), "schema", CheckVerdict.WARNING),
        (replace(STORE, schema="9999", deviations=None), "schema", CheckVerdict.FAULT),
        (replace(STORE, deviations=("new field: x",)), "documents", CheckVerdict.WARNING),
    ],
)
def test_each_problem_of_the_store_has_a_verdict(facts: StoreFacts, about: str, verdict: CheckVerdict) -> None:
    assert verdicts(facts)[about] is verdict


def test_every_verdict_except_ok_has_a_remedy() -> None:
    for facts in (replace(STORE, exists=False), replace(STORE, schema="0001"), replace(STORE, error="damaged")):
        assert all(check.remedy for check in store_checks(facts) if check.verdict is not CheckVerdict.OK)


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(NO_SPACE - 1, CheckVerdict.FAULT), (LITTLE_SPACE - 1, CheckVerdict.WARNING), (LITTLE_SPACE, CheckVerdict.OK)],
)
def test_little_space_is_a_warning_and_no_space_a_fault(free: int, verdict: CheckVerdict) -> None:
    assert disk_check(free, "/").verdict is verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (DaemonFacts(running=True, pid=7, version="1.0"), CheckVerdict.OK),
        (DaemonFacts(running=True, pid=7, version="0.9"), CheckVerdict.WARNING),
        (DaemonFacts(running=False), CheckVerdict.FAULT),
        (DaemonFacts(running=False, has_store=False), CheckVerdict.WARNING),
        (DaemonFacts(running=True, error="no answer"), CheckVerdict.FAULT),
    ],
)
def test_the_daemon_passes_if_it_answers_with_the_installed_version(facts: DaemonFacts, verdict: CheckVerdict) -> None:
    assert daemon_check(facts, "1.0").verdict is verdict


def test_a_secret_file_is_for_its_owner_only() -> None:
    assert secret_check(replace(SECRET, file="key", mode=0o600)).verdict is CheckVerdict.OK
    shared = secret_check(replace(SECRET, file="key", mode=0o640))
    assert (shared.verdict, shared.remedy) == (CheckVerdict.FAULT, "chmod 600 key")


def test_a_missing_secret_has_the_remedy_of_its_error() -> None:
    missing = secret_check(replace(SECRET, error="the file is missing; write it"))
    assert (missing.verdict, missing.detail, missing.remedy) == (CheckVerdict.FAULT, "the file is missing", "write it")


def clocks(skew_seconds: float, about: str = "account main") -> list[DoctorCheck]:
    return list(online_verdicts(passed(about, "key accepted", skew_seconds=skew_seconds)))[1:]


def test_a_clock_more_than_a_minute_off_is_a_fault() -> None:
    assert [check.verdict for skew in (59.0, -61.0) for check in clocks(skew)] == [CheckVerdict.OK, CheckVerdict.FAULT]
    assert clocks(61.0, "watch shop-main") == []


def test_a_failed_online_check_is_a_fault_with_a_remedy() -> None:
    (check,) = online_verdicts(failed("receiver hook", "refused", "connect"))
    assert (check.verdict, check.detail) == (CheckVerdict.FAULT, "connect: refused")
    assert check.remedy


@pytest.mark.parametrize(("count", "listed"), [(0, 1), (3, 3), (4, 1), (30, 1)])
def test_many_problems_of_one_kind_are_counted_together(count: int, listed: int) -> None:
    problems = [Problem(code=ProblemCode.POLL_FAILING, text=f"cannot poll s{number}") for number in range(count)]
    checks = list(problem_checks(problems))
    assert len(checks) == listed
    assert ("more like it" in checks[0].detail) is (count > 3)


def test_a_store_that_cannot_be_written_has_the_remedy_of_its_fault() -> None:
    texts = {
        code: problem_of(reason).remedy
        for code in ("disk-full", "store-removed", "locked")
        for reason in not_ready_reasons(HealthStats(), {}, first_round_done=True, store_failing=code)
    }
    assert "Free disk space" in texts["disk-full"]
    assert "Put its file back" in texts["store-removed"]
    assert len(set(texts.values())) == 3
