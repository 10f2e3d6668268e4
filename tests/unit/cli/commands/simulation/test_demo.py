"""The configuration and the summary of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.reports.facts import announced, delivery_outcome
from watcher.cli.commands.simulation.demo import failures, has_faults, summary
from watcher.cli.commands.simulation.demo_configuration import demo_configuration
from watcher.config import load
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.store.views import DeliveryOutcome

SERVICES = [("6wxgshop001", 'shop "main"'), ("b28anews002", "news-feed")]
BASE_URL = "http://127.0.0.1:4321/api/v1"


def test_the_configuration_is_valid() -> None:
    config = load(Path("/nowhere/config.toml"), text=demo_configuration(BASE_URL, SERVICES, []))
    assert config.accounts["demo"].base_url == BASE_URL
    assert [(watch.service, watch.name) for watch in config.watches] == [
        ("6wxgshop001", 'DEMO shop "main"'),
        ("b28anews002", "DEMO news-feed"),
    ]


def test_the_console_gets_every_kind_and_other_receivers_the_default_kinds() -> None:
    kinds = ["slack-webhook", "webhook"]
    config = load(Path("/nowhere/config.toml"), text=demo_configuration(BASE_URL, SERVICES, kinds))
    assert [(route.match.kinds, route.to) for route in config.routes] == [
        (None, ("console", "slack-webhook", "webhook")),
        (frozenset({"*"}), ("console",)),
    ]
    assert {name: settings.kind for name, settings in config.receivers.items()} == {
        "console": "log",
        "slack-webhook": "slack-webhook",
        "webhook": "webhook",
    }


def delivered(receiver: str, delivery_id: str) -> DeliveryOutcome:
    return delivery_outcome(receiver=receiver, delivery_id=delivery_id)


def test_the_summary_counts_events_by_kind_and_the_alerts_of_each_receiver() -> None:
    items = [
        announced(delivered("console", "msg_1"), delivered("chat", "msg_2"), kind=Kind.FAILED),
        announced(delivered("console", "msg_3"), kind=Kind.PROGRESS),
        announced(delivered("console", "msg_3"), kind=Kind.PROGRESS),
    ]
    assert summary(items) == "3 events: 1 failed, 2 progress; 1 alert to chat, 2 alerts to console"
    assert summary(items[:1]) == "1 event: 1 failed; 1 alert to chat, 1 alert to console"
    assert summary([]) == "no events: nothing changed"


@pytest.mark.parametrize("state", [State.PENDING, State.SILENCED, State.DEAD, State.DROPPED])
def test_events_without_a_delivered_alert_are_no_alerts(state: State) -> None:
    waiting = announced(delivery_outcome(state=state, settled_at=None), kind=Kind.APPEARED)
    assert summary([waiting, announced(kind=Kind.APPEARED)]) == "2 events: 2 appeared; no alert delivered"


def test_failed_alerts_are_counted_by_receiver_and_reason() -> None:
    first, second = (
        delivery_outcome(receiver="webhook", delivery_id=name, state=State.PENDING, reason="http 500", settled_at=None)
        for name in ("msg_1", "msg_2")
    )
    untried = delivery_outcome(receiver="webhook", state=State.PENDING, reason="", attempts=0, settled_at=None)
    assert failures([announced(delivery_outcome(), first), announced(second), announced(untried)]) == [
        "webhook: 2 alerts not delivered: http 500"
    ]
    assert failures([announced(first), announced(first), announced(first)]) == [
        "webhook: 1 alert not delivered: http 500"
    ]


def test_a_dead_letter_is_a_failure_too() -> None:
    assert failures([announced(delivery_outcome(receiver="webhook", state=State.DEAD, reason="http 410"))]) == [
        "webhook: 1 alert not delivered: http 410"
    ]


def test_a_log_with_a_fault_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    log.write_text('{"level": "info"}\n{"level": "warning"}\n')
    assert not has_faults(log)
    log.write_text('{"level": "info"}\n{"level": "error"}\n')
    assert has_faults(log)
