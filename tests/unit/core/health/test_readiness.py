"""Each reason why the watcher is not ready has a code and names the items that it concerns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.delivery.reason import text_reason
from watcher.core.health.readiness import FailingReceiver, HealthStats, NotReady, not_ready_reasons


def codes(
    health_stats: HealthStats | None, late: dict[str, float] | None = None, *, first: bool = True
) -> list[NotReady]:
    return [reason.code for reason in not_ready_reasons(health_stats, late or {}, first_round_done=first)]


def test_without_a_reason_it_is_ready() -> None:
    assert codes(HealthStats()) == []


def test_an_announced_outage_is_no_reason() -> None:
    assert codes(HealthStats(incidents={"connect": 3})) == []


def test_each_reason_has_its_code() -> None:
    assert codes(None) == [NotReady.STORE]
    assert codes(HealthStats(), {"polling": 50.0}) == [NotReady.LOOP]
    assert codes(HealthStats(), first=False) == [NotReady.FIRST_ROUND]
    assert codes(HealthStats(unannounced=("account:main",))) == [NotReady.PROBLEM_UNANNOUNCED]
    full = not_ready_reasons(HealthStats(), {}, first_round_done=True, store_failing="disk-full")
    assert [reason.code for reason in full] == [NotReady.STORE_FAILING]
    assert codes(HealthStats(unannounced_dead_letters={"ml-ops": 2})) == [NotReady.DEAD]
    assert codes(HealthStats(unrouted=1)) == [NotReady.EVENTS_UNROUTED]
    failing = FailingReceiver(name="ml-ops", since=datetime(2026, 11, 23, tzinfo=UTC), reason=text_reason("http 503"))
    assert codes(HealthStats(failing_receivers=(failing,))) == [NotReady.RECEIVER_FAILING]


@pytest.mark.parametrize("cause", ["store-removed", "io-error", "disk-full", "locked"])
def test_a_store_that_can_neither_be_read_nor_written_is_one_reason_with_its_cause(cause: str) -> None:
    (reason,) = not_ready_reasons(None, {}, first_round_done=True, store_failing=cause)
    assert reason.code is NotReady.STORE
    assert reason.detail == f"the store cannot be read or written: {cause}"


def test_all_reasons_are_given_at_once() -> None:
    not_ready = HealthStats(unannounced=("account:main",), unannounced_dead_letters={"ml-ops": 2})
    assert codes(not_ready, {"polling": 50.0}, first=False) == [
        NotReady.LOOP,
        NotReady.FIRST_ROUND,
        NotReady.PROBLEM_UNANNOUNCED,
        NotReady.DEAD,
    ]


def test_a_reason_names_a_few_and_counts_the_others() -> None:
    (reason,) = not_ready_reasons(HealthStats(unannounced=tuple("abcde")), {}, first_round_done=True)
    assert reason.detail == "no receiver was notified of: a, b, c and 2 more"
    (dead,) = not_ready_reasons(HealthStats(unannounced_dead_letters={"ml-ops": 2}), {}, first_round_done=True)
    assert dead.detail == "dead letters that no receiver was notified of: 2 to ml-ops"
