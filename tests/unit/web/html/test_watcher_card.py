"""The card of the watcher shows what the daemon says about itself, and leaves out what nobody knows."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from tests.unit.web.html.test_overview_page import NOW, incident, overview, poll, status
from tests.unit.web.html.test_overview_states import text_of
from watcher.core.health.daemon_figures import AccountRequests, DaemonFigures
from watcher.core.health.problems import DaemonHealth, DaemonState
from watcher.reports.status import StatusReport
from watcher.web.html.language.texts import Texts
from watcher.web.html.times import PageTimes
from watcher.web.html.watcher_card import watcher_rows

FACTS = DaemonFigures(
    version="1.2.3",
    started_at=NOW - timedelta(hours=2),
    lateness_seconds=0.44,
    requests=[
        AccountRequests(account="labs", per_second=0.5, allowed_per_second=10.0),
        AccountRequests(account="main", per_second=0.21, allowed_per_second=1.0),
    ],
    heartbeat="sent",
    heartbeat_at=NOW - timedelta(seconds=21),
    store_bytes=38_200_000,
    next_polls={"main": NOW + timedelta(seconds=22)},
)


def with_facts(facts: DaemonFigures | None, report: StatusReport | None = None) -> StatusReport:
    daemon = DaemonHealth(state=DaemonState.RUNNING, facts=facts)
    return replace(report or status(polls=(poll(0),)), daemon=daemon)


def rows(facts: DaemonFigures | None) -> dict[str, str]:
    texts = Texts()
    found = watcher_rows(with_facts(facts), texts, PageTimes(NOW, texts, UTC))
    return {str(title): re.sub("<[^>]+>", "", str(value)) for title, value in found}


def test_the_card_has_the_values_of_the_metrics() -> None:
    shown = rows(FACTS)
    assert shown["Poll lateness, p95"] == "0.4 s"
    assert shown["Requests"] == "main: 0.21 of 1 per s"
    assert shown["Heartbeat"] == "sent 21 s ago"
    assert shown["Running since"] == "10:00, 1.2.3"
    assert shown["Store"] == "38 MB, no backup yet"


@pytest.mark.parametrize(
    ("changes", "row", "text"),
    [
        ({"heartbeat": None, "heartbeat_at": None}, "Heartbeat", "not configured"),
        ({"heartbeat": "", "heartbeat_at": None}, "Heartbeat", "none yet"),
        ({"heartbeat": "withheld"}, "Heartbeat", "withheld 21 s ago"),
        ({"lateness_seconds": None}, "Poll lateness, p95", "none yet"),
        ({"requests": ()}, "Requests", "none yet"),
        ({"requests": FACTS.requests[:1]}, "Requests", "0.50 of 10 per s"),
        ({"store_bytes": None}, "Store", "no backup yet"),
        ({"store_bytes": 123_456}, "Store", "0.1 MB, no backup yet"),
    ],
)
def test_a_value_that_is_not_known_says_so(changes: dict[str, object], row: str, text: str) -> None:
    assert rows(replace(FACTS, **changes))[row] == text  # type: ignore[arg-type]  # the fields of the facts


def test_without_a_daemon_the_card_has_the_rows_of_the_store_alone() -> None:
    assert list(rows(None)) == ["Last poll", "Failing polls", "Trainings known", "Store", "API deviations"]


def test_an_unreachable_account_shows_its_next_poll() -> None:
    report = status(polls=(poll(3),), incidents=(incident("account:main"),))
    assert "Next poll in 22 s" in text_of(overview(with_facts(FACTS, report)))
    due = replace(FACTS, next_polls={"main": NOW})
    assert "Next poll now" in text_of(overview(with_facts(due, report)))
    assert "Next poll" not in text_of(overview(with_facts(replace(FACTS, next_polls={}), report)))
    of_service = replace(report, incidents=(incident("service:main/6wxgu1abcde"),))
    assert "Next poll" not in text_of(overview(with_facts(FACTS, of_service)))
