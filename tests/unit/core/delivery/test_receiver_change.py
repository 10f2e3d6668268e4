"""The change of a receiver after an attempt, and the earliest expiry of what waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.event_facts import receiver_of
from watcher.core.delivery.model import ReceiverSignal, SignalKind
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.receiver_change import (
    REMOVED,
    ReceiverSummary,
    change_after,
    failing_change,
    with_expiry,
)
from watcher.core.delivery.receiver_state import ReceiverState

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIMIT = timedelta(days=3)
REFUSES = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("no_service"))


def summary(age: timedelta | None) -> ReceiverSummary:
    """Return a receiver whose oldest waiting delivery has been allowed to go for so long."""
    oldest = None if age is None else NOW - age
    return with_expiry(ReceiverSummary(state=ReceiverState(name="hook"), waiting=2, oldest_allowed_at=oldest), LIMIT)


EXPIRIES = [
    (timedelta(0), NOW + LIMIT),
    (timedelta(hours=20), NOW + LIMIT - timedelta(hours=20)),
    (timedelta(minutes=-10), NOW + LIMIT + timedelta(minutes=10)),
    (LIMIT, None),
    (None, None),
]
by_age = pytest.mark.parametrize(
    ("age", "expires_at"), EXPIRIES, ids=["just now", "before", "an open group", "expires now", "nothing waits"]
)


@by_age
@pytest.mark.parametrize("signal", [REFUSES, REMOVED], ids=["refuses", "removed"])
def test_a_receiver_that_refuses_names_the_earliest_expiry(
    signal: ReceiverSignal, age: timedelta | None, expires_at: datetime | None
) -> None:
    event = change_after(summary(age), signal, "e", None, NOW).event
    assert event is not None
    assert receiver_of(event).expires_at == expires_at


@by_age
def test_a_receiver_without_a_success_names_the_earliest_expiry(
    age: timedelta | None, expires_at: datetime | None
) -> None:
    event = failing_change(summary(age), NOW - timedelta(minutes=15), "e", None, NOW).event
    assert event is not None
    assert receiver_of(event).expires_at == expires_at


def test_a_receiver_that_has_recovered_names_no_expiry() -> None:
    failing = ReceiverState(name="hook", seq=1, failing_since=NOW - timedelta(hours=1), parked=True)
    waits = with_expiry(ReceiverSummary(state=failing, waiting=2, oldest_allowed_at=NOW), LIMIT)
    event = change_after(waits, ReceiverSignal(health=SignalKind.PASSES), "e", None, NOW).event
    assert event is not None
    assert receiver_of(event).expires_at is None
