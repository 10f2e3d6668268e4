"""``history --actions`` shows what people did, the latest last."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner
from tests.integration.cli.test_stats import CONFIG
from tests.unit.reports.facts import EVIL, STEERING
from watcher.clock import Clock
from watcher.core.action import Action, ActionKind
from watcher.core.delivery.reason import NO_REASON, Reason, http_reason
from watcher.store.actions import ActionLog
from watcher.store.sqlite.database import open_database

NOW = Clock().utc_now()


def action(kind: ActionKind, target: str, days: int, outcome: str = "", reason: Reason = NO_REASON) -> Action:
    at = NOW - timedelta(days=days)
    return Action(kind=kind, target=target, author="mina" if days else "", at=at, outcome=outcome, reason=reason)


ACTIONS = [
    action(ActionKind.RETRY, "msg_abcdefghijklmnop", 9),
    action(ActionKind.TEST, "hook", 3, "Refused", http_reason(410)),
    action(ActionKind.TEST, "chat", 2, "Delivered"),
    action(ActionKind.RELOAD, EVIL, 0),
]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    with closing(open_database(tmp_path / "here.db", purpose="test", now=NOW)) as database:
        for item in ACTIONS:
            asyncio.run(ActionLog(database).record(item))
    return runner(capsys)


def test_each_action_has_a_row_with_its_author(run: Run) -> None:
    heading, *rows = run("history", "--actions").out.splitlines()
    assert heading.split()[-4:] == ["BY", "ACTION", "ON", "OUTCOME"]
    assert [row.split()[2:] for row in rows[:3]] == [
        ["mina", "retry", "msg_abcdefgh"],
        ["mina", "test", "hook", "refused:", "http", "410"],
        ["mina", "test", "chat", "delivered"],
    ]
    assert "unknown" in rows[3]
    assert not STEERING.search(rows[3])


def test_json_has_the_latest_of_a_period(run: Run) -> None:
    found = [json.loads(line) for line in run("history", "--actions", "--json", "--since", "7d").out.splitlines()]
    assert [(item["action"], item["by"], item["target"]) for item in found] == [
        ("test", "mina", "hook"),
        ("test", "mina", "chat"),
        ("reload", "", EVIL),
    ]
    assert found[0]["reason_code"] == {"code": "http", "status": 410}
    (latest,) = run("history", "--actions", "--json", "--limit", "1").out.splitlines()
    assert json.loads(latest) == found[-1]


@pytest.mark.parametrize("others", [("pop",), ("--kind", "failed"), ("--follow",)])
def test_a_filter_of_events_does_not_go_with_actions(run: Run, others: tuple[str, ...]) -> None:
    refused = run("history", "--actions", *others)
    assert (refused.status, "takes no TEXT" in refused.err) == (2, True)
