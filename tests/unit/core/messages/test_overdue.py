"""The messages about retrainings that are overdue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.receivers.overdue_samples import LEARNED, NOW, OVERDUE_CASES, sample
from watcher.core.event import named_event
from watcher.core.messages.group import compose_group
from watcher.core.messages.message import Severity, Symbol
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose, named_title
from watcher.core.training.absence import Missing


@pytest.mark.parametrize(
    ("case", "facts"),
    [
        (
            "overdue",
            [
                (
                    "No new training since 2026-11-26 17:59:42 UTC; expected by 2026-11-26 23:59:42 UTC "
                    "(every 6 h, learned from 20 starts)"
                ),
                "Last good version maqkk7wwwww, 6 h 30 min ago",
                "Check the job that requests trainings: AiTEMS answers and lists no newer version",
            ],
        ),
        (
            "overdue-never-started",
            [
                "No new training seen; expected by 2026-11-26 23:59:42 UTC (every 6 h)",
                "Check the job that requests trainings: AiTEMS answers and lists no newer version",
            ],
        ),
        (
            "overdue-stale",
            [
                "No training completed since maqkk7wwwww, 6 h 30 min ago; the limit is 6 h",
                "Check why newer trainings do not complete, or do not start",
            ],
        ),
    ],
)
def test_it_says_the_expectation_the_last_good_version_and_the_remedy(case: str, facts: list[str]) -> None:
    message = compose(OVERDUE_CASES[case])
    assert [plain_text(line) for line in message.facts] == facts
    assert plain_text(message.title) == "Retraining overdue · shop-main · personalRecommend"
    assert (message.sign, message.severity) == (Symbol.LATE, Severity.WARNING)
    assert plain_text(message.muted).startswith("Polled at 2026-11-27 01:30:12 UTC · Console")


def test_a_service_that_never_completed_a_training_says_so() -> None:
    facts = replace(LEARNED, missing=Missing.COMPLETED, last=None, starts=None, last_good=None)
    first, _ = compose(sample(facts)).facts
    assert plain_text(first) == "No training seen to complete; the limit is 6 h"


def test_another_event_names_it_by_its_title() -> None:
    title = plain_text(named_title(named_event(OVERDUE_CASES["overdue"])))
    assert title == "Retraining overdue · shop-main · personalRecommend"


def test_several_are_rows_of_one_message() -> None:
    message = compose_group(list(OVERDUE_CASES.values()), [])
    rows = {entry.service.text for entry in message.entries}
    assert rows == {"shop-main · personalRecommend"}
    assert {plain_text(entry.change) for entry in message.entries} == {"Retraining overdue"}
    assert message.recorded_at == NOW
