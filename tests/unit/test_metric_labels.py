"""The values of labels have a bound: a reason may have a text of a consumer, and many receivers may fail at once."""

from __future__ import annotations

import re
from typing import Final

from tests.unit.reports.facts import EVIL, NOW
from watcher.clock import Clock
from watcher.core.delivery.model import Verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.metrics import OTHER, REASON_LENGTH, REASONS_MAX, Metrics, Reading

ATTEMPT: Final = re.compile(r'^aitems_watcher_delivery_attempts_total\{reason="(.*?)",.*\} (\S+)$', re.MULTILINE)


def attempts(metrics: Metrics) -> dict[str, float]:
    """Return the number of attempts by the label of their reason."""
    text = metrics.exposition(Reading(at=NOW, health_stats=None, reasons=())).decode()
    return {reason: float(count) for reason, count in ATTEMPT.findall(text)}


def settle(metrics: Metrics, reason: str) -> None:
    metrics.settled("hook", Verdict(state=State.DEAD, reason=text_reason(reason)))


def test_after_sixty_reasons_new_ones_are_others_and_known_ones_stay() -> None:
    metrics = Metrics(Clock())
    for number in range(500):
        settle(metrics, f"reason {number}")
    settle(metrics, "reason 0")
    found = attempts(metrics)
    assert len(found) == REASONS_MAX + 1
    assert (found["reason-0"], found[OTHER]) == (2.0, 500.0 - REASONS_MAX)


def test_a_reason_with_a_hostile_text_is_a_short_plain_label() -> None:
    metrics = Metrics(Clock())
    for text in (EVIL * 50, '"} 1\nup 1', "뉴스"):
        settle(metrics, text)
    found = attempts(metrics)
    assert OTHER in found, "a reason without a letter of its own"
    assert all(re.fullmatch(r"[a-z0-9-]+", label) and len(label) <= REASON_LENGTH for label in found)
