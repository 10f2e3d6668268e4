"""The messages about retrainings that are overdue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.receivers.overdue_samples import LEARNED, NOW, OVERDUE_CASES, of_service, sample
from tests.unit.receivers.samples import sample_event
from watcher.core.event import Event, named_event
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.message import Severity, Style, Symbol
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose, named_title
from watcher.core.training.absence import Missing
from watcher.receivers.slack.blocks import payload


@pytest.mark.parametrize(
    ("case", "facts"),
    [
        (
            "overdue",
            [
                (
                    "No new training since 2026-11-26 17:59:42 UTC; expected by 2026-11-26 23:59:42 UTC "
                    "(period 6 h, learned from 20 starts)"
                ),
                "Last good version maqkk7wwwww, 6 h 30 min ago",
                "Check the job that requests trainings: AiTEMS answers and lists no newer version",
            ],
        ),
        (
            "overdue-never-started",
            [
                "No new training seen; expected by 2026-11-26 23:59:42 UTC (expect_every 6 h)",
                "Check the job that requests trainings: AiTEMS answers and lists no newer version",
            ],
        ),
        (
            "overdue-stale",
            [
                "No training completed since maqkk7wwwww, 6 h 30 min ago; stale_after is 6 h",
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
    assert plain_text(first) == "No poll has seen a training complete; stale_after is 6 h"


def test_another_event_names_it_by_its_title() -> None:
    title = plain_text(named_title(named_event(OVERDUE_CASES["overdue"])))
    assert title == "Retraining overdue · shop-main · personalRecommend"


FIRST, NEVER, STALE = OVERDUE_CASES["overdue"], OVERDUE_CASES["overdue-never-started"], OVERDUE_CASES["overdue-stale"]
SINCE = "no new training since 2026-11-26 17:59:42 UTC; expected by 2026-11-26 23:59:42 UTC"
NO_COMPLETION = "no training completed since maqkk7wwwww, 6 h 30 min ago; stale_after is 6 h"


def lines_of(events: Sequence[Event]) -> list[str]:
    message = compose_group(events, [])
    rows = [row for part in message.sections for row in part.rows]
    return [plain_text(line) for line in (message.title, *message.facts, *rows, message.muted)]


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        (
            [FIRST, of_service(NEVER, "shop-app")],
            [
                "2 retrainings overdue · shop-main 1, shop-app 1",
                "Check the job that requests trainings: AiTEMS answers and lists no newer versions",
                f"• shop-main · personalRecommend: {SINCE}",
                "• shop-app · personalRecommend: no new training seen; expected by 2026-11-26 23:59:42 UTC",
                "Polled at 2026-11-27 01:30:12 UTC",
            ],
        ),
        (
            [FIRST, STALE],
            [
                "Retraining overdue · shop-main · personalRecommend",
                "Check the job that requests trainings, and why newer ones do not complete",
                f"• shop-main · personalRecommend: {SINCE}",
                f"• shop-main · personalRecommend: {NO_COMPLETION}",
                "Polled at 2026-11-27 01:30:12 UTC",
            ],
        ),
        (
            [STALE, replace(of_service(STALE, "shop-app"), before=NOW + timedelta(minutes=5))],
            [
                "2 retrainings overdue · shop-main 1, shop-app 1",
                "Check why newer trainings do not complete, or do not start",
                f"• shop-main · personalRecommend: {NO_COMPLETION}",
                f"• shop-app · personalRecommend: {NO_COMPLETION.replace('30', '35')}",
                "Polled between 2026-11-27 01:30:11 UTC and 2026-11-27 01:35:12 UTC",
            ],
        ),
        (
            [of_service(FIRST, "shop-app"), sample_event()],
            [
                "Training failed · shop-main · pop · maqll0abcde · 1 retraining overdue",
                "1 overdue",
                "• shop-main · pop · maqll0abcde: learning → learningFailed",
                f"• shop-app · personalRecommend: {SINCE}",
                "Between 2026-11-23 02:19:40 UTC and 2026-11-23 02:20:10 UTC",
            ],
        ),
    ],
    ids=["starts", "both", "completions", "beside a failure"],
)
def test_several_are_counted_and_each_row_says_its_absence(events: Sequence[Event], lines: list[str]) -> None:
    assert [line.partition(" (2026")[0] for line in lines_of(events)] == lines


def test_several_have_the_sign_of_one_and_a_table_with_the_expected_times() -> None:
    events = [of_service(FIRST, f"shop-{number}") for number in range(8)]
    message = compose_group(events, [])
    assert (message.sign, message.severity) == (Symbol.LATE, Severity.WARNING)
    body: Any = payload(events, 0, may_be_repeat=False, mentions=(), style=Style(), now=NOW)
    table = next(block for block in body["blocks"] if block["type"] == "data_table")
    assert table["caption"] == "8 overdue retrainings"
    header, first = ([cell["text"] for cell in row] for row in table["rows"][:2])
    assert header == ["Service", "Type", "Status", "Expected by", "Last good"]
    assert first == ["shop-0", "personalRecommend", "overdue, no new training", "23:59:42 UTC", "6 h ago"]
