"""The page of deliveries: its first line names the receivers that fail, and links lead to what a message is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.delivery.reason import read_reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.health.problems import REMEDIES, ProblemCode
from watcher.reports.overview import ReceiverRow
from watcher.web.html.deliveries_page import DeliveriesPage, deliveries_values
from watcher.web.html.language.texts import Texts

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
REPAIR = REMEDIES[ProblemCode.RECEIVER_FAILING]


def receiver(name: str, *, fails: bool = False, waiting: int = 0, dead: int = 0, delivered: int = 0) -> ReceiverRow:
    failing = ReceiverState(name=name, failing_since=NOW, reason=read_reason("gone")) if fails else None
    return ReceiverRow(name=name, kind="webhook", failing=failing, waiting=waiting, dead=dead, delivered=delivered)


def first_lines(*receivers: ReceiverRow) -> tuple[str, str, str]:
    page = DeliveriesPage(
        receivers=receivers,
        waiting=(),
        ended=(),
        delivered=(),
        actions=(),
        about={},
        tests={},
        done=None,
        done_count=0,
    )
    values = deliveries_values(page, Texts(), can_act=False)
    icon = values["icon"]
    assert isinstance(icon, tuple)
    return str(values["headline"]), str(values["subline"]), icon[1]


@pytest.mark.parametrize(
    ("receivers", "lines"),
    [
        ([receiver("a")], ("Nothing has been sent yet", "", "idle")),
        ([receiver("a", delivered=3)], ("Every delivery has arrived", "", "ok")),
        ([receiver("a", delivered=3, waiting=1)], ("1 delivery has not arrived", "", "idle")),
        ([receiver("a", dead=2, waiting=1)], ("2 deliveries need a decision", "1 delivery waits.", "warn")),
        (
            [receiver("a", fails=True, waiting=4), receiver("b", dead=3)],
            ("1 receiver is failing: a", f"4 deliveries wait. 3 deliveries need a decision. {REPAIR}", "warn"),
        ),
        (
            [receiver(name, fails=True) for name in "abcde"],
            ("5 receivers are failing: a, b, c and 2 more", REPAIR, "warn"),
        ),
    ],
)
def test_the_first_line_names_what_fails(receivers: list[ReceiverRow], lines: tuple[str, str, str]) -> None:
    assert first_lines(*receivers) == lines


def test_the_name_of_a_receiver_is_text() -> None:
    assert "&lt;b&gt;" in first_lines(receiver("<b>", fails=True))[0]
