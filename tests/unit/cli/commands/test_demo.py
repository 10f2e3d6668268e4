"""The configuration and the summary of the demo."""

from __future__ import annotations

from pathlib import Path

from tests.unit.reports.facts import announced, delivery_outcome
from watcher.cli.commands.demo import failures, has_faults, summary
from watcher.cli.commands.demo_configuration import demo_configuration
from watcher.config import load
from watcher.core.delivery.model import State
from watcher.core.event import Kind

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


def test_the_summary_counts_by_kind() -> None:
    items = [announced(kind=Kind.FAILED), announced(kind=Kind.PROGRESS), announced(kind=Kind.PROGRESS)]
    assert summary(items) == "3 alerts: 1 failed, 2 progress"
    assert summary(items[:1]) == "1 alert: 1 failed"
    assert summary([]) == "no alerts: nothing changed"


def test_failed_deliveries_are_counted_by_receiver_and_reason() -> None:
    refused = delivery_outcome(receiver="webhook", state=State.PENDING, reason="http 500", settled_at=None)
    untried = delivery_outcome(receiver="webhook", state=State.PENDING, reason="", attempts=0, settled_at=None)
    assert failures([announced(delivery_outcome(), refused), announced(refused), announced(untried)]) == [
        "webhook: 2 not delivered: http 500"
    ]


def test_a_dead_letter_is_a_failure_too() -> None:
    assert failures([announced(delivery_outcome(receiver="webhook", state=State.DEAD, reason="http 410"))]) == [
        "webhook: 1 not delivered: http 410"
    ]


def test_a_log_with_a_fault_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    log.write_text('{"level": "info"}\n{"level": "warning"}\n')
    assert not has_faults(log)
    log.write_text('{"level": "info"}\n{"level": "error"}\n')
    assert has_faults(log)
