"""An event beside earlier runs: in ``history``, in ``deliveries show`` and on the page of a training."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.receivers.overdue_samples import LEARNED
from tests.unit.receivers.sample_facts import (
    ENDED,
    EXPECTED_END,
    UNSTUCK,
    minutes,
    plain_success,
    run_of,
    third_failure,
)
from tests.unit.reports.facts import NOW, TIMES, announced, event, plain_screen, snapshot
from watcher.cli.text.deliveries import print_delivery
from watcher.cli.text.history import compared, history_table
from watcher.cli.text.layout import layout_of
from watcher.cli.text.times import LocalTimes
from watcher.cli.text.training_page import show_training
from watcher.core.delivery.reason import NO_REASON
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.core.messages.training import compose
from watcher.reports.status import KnownTraining
from watcher.reports.training_page import TrainingPage
from watcher.store.delivery.views import DeliveryView
from watcher.store.views import EventHistory


def shown(*items: EventHistory) -> str:
    screen, stream = plain_screen()
    screen.table(history_table(items, TIMES))
    return stream.getvalue()


FAILURE: dict[str, Any] = {
    "run": run_of(timedelta(hours=2, minutes=10)),
    "comparison": third_failure(),
    "after": ENDED - timedelta(seconds=30),
    "before": ENDED,
}
LINES = [
    "learningFailed after 2 h 10 min (usually done in 48 to 61 min, 23 runs)",
    "3rd failure in a row · last good version maqkk9zzzzz, 2 days ago",
    "Changed since then: item_top_n 20000 → 50000 (possible cause, a guess)",
]


DELIVERY = DeliveryView(
    id="msg_1",
    receiver="ops",
    state=State.DELIVERED,
    reason=NO_REASON,
    attempts=1,
    may_be_repeat=False,
    created_at=NOW,
    attempted_at=NOW,
    next_at=None,
    settled_at=NOW,
    answer=None,
    events=(event(**FAILURE),),
)
PAGE = TrainingPage(
    at=NOW,
    training=KnownTraining(snapshot=snapshot(), name=None, last_seen=NOW, watched=True),
    zone=None,
    labels={},
    poll=None,
    events=(announced(**FAILURE), announced()),
    silences=(),
)


def test_an_event_is_set_beside_earlier_runs_where_they_are_known() -> None:
    heading, known, unknown = shown(announced(**FAILURE), announced()).splitlines()
    assert "  COMPARED  " in heading
    assert "; ".join(LINES) in known
    assert "usually" not in unknown
    assert "COMPARED" not in shown(announced())


def test_a_narrow_table_omits_the_comparison_before_anything_else() -> None:
    columns = layout_of(history_table([announced(**FAILURE)], TIMES), 130).kept
    headings = [name if isinstance(name, str) else name.heading for name in history_table([], TIMES).columns]
    assert {headings[index] for index in columns} >= {"KIND", "EVENT", "CHANGE", "DELIVERIES"}
    assert "COMPARED" not in {headings[index] for index in columns}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (FAILURE, LINES),
        (
            {
                "kind": Kind.SUCCEEDED,
                "to_status": "completed",
                "comparison": plain_success(),
                "run": run_of(minutes(54)),
                "after": ENDED - timedelta(seconds=30),
                "before": ENDED,
            },
            ["Took 54 min (usually 48 to 61 min)"],
        ),
        (
            {"kind": Kind.UNSTUCK, "to_status": "learning", "stuck": UNSTUCK, "expected_end": EXPECTED_END},
            ["Ends about 11:59 (11:48 to 12:18 KST), an estimate from 23 runs"],
        ),
        (
            {"kind": Kind.OVERDUE, "overdue": LEARNED},
            ["No new training since 27 Nov 02:59:42; expected by 27 Nov 08:59:42 KST"],
        ),
        ({}, []),
    ],
)
def test_a_comparison_has_the_lines_of_the_message_and_local_times(changes: dict[str, Any], lines: list[str]) -> None:
    shown_event = event(**changes)
    local = LocalTimes(NOW, ZoneInfo("Asia/Seoul"))
    assert compared(shown_event, compose(shown_event), local)[-len(lines) or 99 :] == lines


def test_a_delivery_and_the_page_of_a_training_show_the_same_lines() -> None:
    screen, stream = plain_screen()
    print_delivery(DELIVERY, TIMES, screen)
    show_training(PAGE, TIMES, screen)
    text = stream.getvalue()
    assert all(text.count(f"{line}\n") == 2 for line in LINES)
    assert f"compared  {LINES[0]}" in text
