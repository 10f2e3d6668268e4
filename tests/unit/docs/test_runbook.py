"""``docs/metrics.md`` has every log event, ``docs/runbook.md`` every alert, reason and event."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import watcher
from tests.support.paths import DOCS
from watcher.clock import Clock
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.core.health.readiness import HealthStats, NotReady, Queue
from watcher.core.timestamps import from_text
from watcher.metrics import Metrics, Reading

METRICS = (DOCS / "metrics.md").read_text()
RUNBOOK = (DOCS / "runbook.md").read_text()
RULES = DOCS / "alerts.yml"
TRAINING_KINDS = {
    *("appeared", "progress", "succeeded", "failed", "restarted", "unknown-status", "unusable"),
    *("gone", "back", "overdue", "update-failed", "update-succeeded"),
}
ENTRY = re.compile(r"^### (.+)\n\n((?:.+\n)+)", re.MULTILINE)
LOG_CALL = re.compile(r"(?:\blog\.\w+|\b_log|get_logger\(\)\.\w+)\(\s*\"([a-z]+\.[a-z_]+)\"")


def entries() -> dict[str, str]:
    """Return the text of each entry of the runbook by its heading."""
    return dict(ENTRY.findall(RUNBOOK))


def test_the_page_has_every_reason_of_readyz() -> None:
    assert set(NotReady) <= set(re.findall(r"^\| `([a-z-]+)` \|", METRICS, re.MULTILINE))


def test_the_page_has_every_log_event() -> None:
    sources = Path(watcher.__file__).parent.rglob("*.py")
    logged = {event for source in sources for event in LOG_CALL.findall(source.read_text())}
    assert len(logged) > 50
    assert logged <= set(re.findall(r"`([a-z]+\.[a-z_]+)`", METRICS))


def test_the_runbook_has_an_entry_for_every_alert_reason_and_event() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    reasons = {f"/readyz: `{reason.value}`" for reason in NotReady}
    events = {f"Event `{kind.value}`" for kind in Kind if kind.value not in TRAINING_KINDS}
    assert alerts
    assert alerts | reasons | events <= set(entries())


@pytest.mark.parametrize("heading", sorted(entries()))
def test_every_entry_has_its_meaning_its_first_command_and_its_remedy(heading: str) -> None:
    parts = re.findall(r"^- \*\*(.+?):\*\*", entries()[heading], re.MULTILINE)
    assert parts == ["Meaning", "First command", "Remedy"]


def test_promtool_accepts_the_alert_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    checked = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)  # noqa: S603 - Debian's
    assert checked.returncode == 0, checked.stdout + checked.stderr
