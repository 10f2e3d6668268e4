"""The line about calls that wait."""

from __future__ import annotations

import pytest

from watcher.core.polling.rate_limit import BudgetWait
from watcher.reports.online import FirstFailures, OnlineCheck, failed, passed, wait_text


@pytest.mark.parametrize(
    ("calls", "seconds", "cause", "text"),
    [
        (1, 299.2, "quota", "account main: 1 call waits 5m: AiTEMS answered quota, so the account pauses"),
        (3, 4.01, "throttle", "account main: 3 calls wait 5s: AiTEMS answered throttle, so the account pauses"),
        (2, 20.0, "", "account main: 2 calls wait 20s: the account's requests_per_second allows no more"),
    ],
)
def test_the_line_names_the_account_the_time_and_the_reason(calls: int, seconds: float, cause: str, text: str) -> None:
    assert wait_text(BudgetWait(account="main", calls=calls, seconds=seconds, cause=cause)) == text


def details(*checks: OnlineCheck) -> list[str]:
    failures = FirstFailures()
    return [failures.shortened(check).detail for check in checks]


def test_the_same_failure_is_written_once() -> None:
    rejected = [failed(about, "HTTP 401", "denied") for about in ("account main", "watch a", "watch b")]
    assert details(*rejected) == ["HTTP 401", "the same as account main", "the same as account main"]


def test_other_failures_and_successes_stay_as_they_are() -> None:
    checks = [
        failed("account main", "HTTP 401", "denied"),
        failed("watch a", "HTTP 404", "not-found"),
        failed("watch b", "HTTP 401", "refused"),
        passed("watch c", "list: 1 training"),
        passed("watch d", "list: 1 training"),
    ]
    assert details(*checks) == [check.detail for check in checks]


def test_a_shortened_failure_keeps_its_cause_and_repeats_no_advice() -> None:
    failures = FirstFailures()
    first, second = (
        OnlineCheck(about=about, good=False, detail="HTTP 401", cause="denied", advice="look at the keys")
        for about in ("account main", "watch a")
    )
    assert failures.shortened(first) == first
    assert (failures.shortened(second).cause, failures.shortened(second).advice) == ("denied", "")
