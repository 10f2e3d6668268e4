"""The line about calls that wait."""

from __future__ import annotations

import pytest

from watcher.core.polling.rate_limit import BudgetWait
from watcher.reports.online import wait_text


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
