"""Samples of retrainings that are overdue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.event import Event, event_id
from watcher.core.polling.overdue_event import overdue_event
from watcher.core.polling.plan import WatchAttributes
from watcher.core.training.absence import GoodVersion, Missing, OverdueFacts
from watcher.core.training.retraining import Retraining, RetrainingRef

NOW: Final = datetime(2026, 11, 27, 1, 30, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
LINKS: Final = {"console": "https://console.example/{service}", "runbook": "https://wiki.example/{name}"}
_STATE: Final = Retraining(ref=RetrainingRef("main", "6wxgu1abcde", "personalRecommend"), since=NOW - 900 * HOUR, seq=3)
_START: Final = Bounds(after=NOW - 7.5 * HOUR - timedelta(minutes=1), before=NOW - 7.5 * HOUR)
_GOOD: Final = GoodVersion(
    version="maqkk7wwwww", ended=Bounds(after=NOW - 6.5 * HOUR - timedelta(minutes=1), before=NOW - 6.5 * HOUR)
)
LEARNED: Final = OverdueFacts(
    missing=Missing.START,
    last=_START,
    expected_at=_START.middle + 6 * HOUR,
    deadline=_START.before + 7.5 * HOUR - timedelta(seconds=5),
    period=6 * HOUR,
    starts=20,
    last_good=_GOOD,
)


def sample(facts: OverdueFacts) -> Event:
    """Return the event about an absence."""
    attributes = WatchAttributes(name="shop-main", labels={"team": "search"}, links=LINKS)
    return overdue_event(_STATE, facts, attributes, "e1", asked_at=NOW - timedelta(seconds=1), now=NOW)


def of_service(event: Event, service: str) -> Event:
    """Return the same event about a retraining of another service."""
    ref = replace(_STATE.ref, service=service)
    identity = event_id("e1", ref.subject, event.seq)
    return replace(event, id=identity, service=service, service_name=service, subject=ref.subject)


OVERDUE_CASES: Final = {
    "overdue": sample(LEARNED),
    "overdue-never-started": sample(replace(LEARNED, last=None, starts=None, last_good=None)),
    "overdue-cycle": sample(replace(LEARNED, starts=None, by_cycle=True)),
    "overdue-cycle-never-seen": sample(replace(LEARNED, last=None, starts=None, by_cycle=True)),
    "overdue-stale": sample(
        replace(
            LEARNED,
            missing=Missing.COMPLETED,
            last=_GOOD.ended,
            expected_at=_GOOD.ended.middle + 6 * HOUR,
            deadline=_GOOD.ended.before + 6 * HOUR,
            starts=None,
        )
    ),
}
OVERDUE_GROUP: Final = [of_service(event, f"shop-{number}") for number, event in enumerate(OVERDUE_CASES.values())]
"""Three retrainings that are overdue, in one message."""
