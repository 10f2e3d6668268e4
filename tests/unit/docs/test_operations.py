"""``docs/operations.md`` has a line for each metric and each reason, and a paragraph for each thing told of the watcher."""

from __future__ import annotations

from tests.support.paths import DOCS

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from watcher.clock import Clock
from watcher.core.delivery.model import State
from watcher.core.event import Kind
from watcher.core.timestamps import from_text
from watcher.core.health.readiness import NotReady, Queue, HealthStats
from watcher.metrics import Metrics, Reading

PAGE = (DOCS / "operations.md").read_text()
RULES = DOCS / "alerts.yml"
FAMILY = re.compile(r"^# TYPE (aitems_watcher_\w+) (\w+)$", re.MULTILINE)
TRAINING_KINDS = {
    *("appeared", "progress", "succeeded", "failed", "restarted", "unknown-status", "stuck", "unstuck", "unusable"),
    *("gone", "back", "overdue", "update-failed", "update-succeeded"),
}


def exported() -> set[str]:
    """Return every family, named as the series in the text format are."""
    now = from_text("2026-11-23T00:00:00.000000Z")
    queue = Queue(receiver="r", state=State.PENDING, count=1, oldest=now)
    reading = Reading(at=now, monotonic=0.0, health_stats=HealthStats(queues=(queue,)), reasons=())
    text = Metrics(Clock()).exposition(reading).decode()
    return {name for name, _ in FAMILY.findall(text) if not name.endswith("_created")}


def test_every_metric_stands_in_the_page_and_no_other() -> None:
    named = set(re.findall(r"^\| `(aitems_watcher_\w+)", PAGE, re.MULTILINE))
    assert len(exported()) > 15
    assert named == exported()


def test_every_reason_stands_in_the_page() -> None:
    assert set(NotReady) <= set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE))


def test_each_thing_that_is_told_of_the_watcher_has_its_paragraph() -> None:
    announced = {kind.value for kind in Kind} - TRAINING_KINDS
    assert announced <= set(re.findall(r"^\*\*`([a-z-]+)`\*\*: ", PAGE, re.MULTILINE))


def test_the_rules_use_metrics_that_there_are() -> None:
    used = set(re.findall(r"aitems_watcher_\w+", RULES.read_text()))
    assert used
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} <= exported()


def test_promtool_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    checked = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)  # noqa: S603 - Debian's
    assert checked.returncode == 0, checked.stdout + checked.stderr
