"""Tables fit the width; ids are never broken or cut."""

from __future__ import annotations

import re
from datetime import UTC, timedelta

import pytest

from tests.unit.reports.facts import NOW, announced, delivery_outcome, poll, snapshot, state
from watcher.cli.text.deliveries import delivery_table
from watcher.cli.text.history import history_table
from watcher.cli.text.layout import Cell, Column, Table, table_lines
from watcher.cli.text.times import LocalTimes
from watcher.cli.text.trainings import training_table
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.text_width import width
from watcher.core.training.model import TrainingRef
from watcher.reports.status import PollReport, known
from watcher.store.delivery.views import DeliveryView

TIMES = LocalTimes(NOW, UTC)
LONG = TrainingRef("main", "6wxgu1abcde", "personalRecommend", "maqll0abcde")

WATCHED = PollReport(poll=poll(), state=state())


def lines(table: Table, limit: int | None) -> list[str]:
    return ["".join(part.text for part in line) for line in table_lines(table, limit)]


def row(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))


def test_the_least_important_column_goes_first() -> None:
    table = Table(("ID", Column("TWO", omitted=2), Column("ONE", omitted=1)), [row("a" * 8, "b" * 8, "c" * 8)])
    assert lines(table, 28)[0].split() == ["ID", "TWO", "ONE"]
    assert lines(table, 27)[0].split() == ["ID", "TWO"]
    assert lines(table, 17)[0].split() == ["ID"]


def test_a_text_is_shortened_and_marked_and_a_wide_table_has_it_whole() -> None:
    table = Table(("ID", Column("REASON", least=6)), [row("evt_abcdefgh", "the receiver said no")])
    assert lines(table, 24)[1] == "evt_abcdefgh  the recei…"
    assert lines(table, None)[1] == "evt_abcdefgh  the receiver said no"


def test_korean_letters_are_cut_by_their_width() -> None:
    table = Table(("ID", Column("NAME", least=5)), [row("a", "추천모델이름")])
    assert [width(line) for line in lines(table, 9)] == [8, 9]
    assert lines(table, 9)[1] == "a   추천…"


def test_columns_that_do_not_fit_go_to_a_second_line_with_their_headings() -> None:
    table = Table(("WHEN", "ABOUT", "EVENT"), [row("02:20", "a" * 12, "evt_1"), row("02:21", "b", "")])
    assert lines(table, 20) == ["WHEN   ABOUT", "    EVENT", f"02:20  {'a' * 12}", "    evt_1", "02:21  b"]


def test_an_id_longer_than_the_line_is_still_whole() -> None:
    table = Table(("ID", "OTHER"), [row("x" * 50, "y" * 30)])
    assert lines(table, 40)[2:] == ["x" * 50, "    " + "y" * 30]


@pytest.mark.parametrize("limit", [20, 40, 80, 120])
@pytest.mark.parametrize("name", ["shop-main", "recommendations-of-the-main-shop", "뉴스-추천"])
def test_a_training_is_whole_at_any_width(limit: int, name: str) -> None:
    polled = PollReport(poll=poll(name=name), state=state(good_answered_at=NOW - timedelta(minutes=2)))
    moved = snapshot(ref=LONG, status="learningFailed", changed_after=NOW - timedelta(days=9), changed_before=NOW)
    shown = lines(training_table(list(known([moved], [polled])), TIMES), limit)
    text = "\n".join(shown)
    for part in (name, LONG.type, LONG.version, "learningFailed"):
        assert part in text
    assert all(width(line) <= max(limit, 4 + len(name), 4 + len(LONG.type)) for line in shown)


@pytest.mark.parametrize("limit", [40, 80])
def test_an_event_is_whole_at_any_width(limit: int) -> None:
    item = announced(delivery_outcome(state=State.DEAD, reason="http 500: " + "oops " * 40), late=True)
    text = "\n".join(lines(history_table([item], TIMES), limit))
    for part in ("evt_abcdefgh", "maqll0abcde", "learning -> learningFailed", "late"):
        assert part in text
    assert all(width(line) <= limit for line in text.splitlines())


def test_todays_training_fits_80_columns_in_one_line() -> None:
    moved = snapshot(
        ref=LONG,
        status="learningFailed",
        changed_after=NOW - timedelta(hours=2, seconds=30),
        changed_before=NOW - timedelta(hours=2),
    )
    heading, line, *rest = lines(training_table(list(known([moved], [WATCHED])), TIMES), 80)
    assert not rest
    assert heading.split()[:5] == ["SERVICE", "TYPE", "VERSION", "STATUS", "AGE"]
    assert re.match(r"6wxgu1abcde  personalRecommend  maqll0abcde  learningFailed  2h$", line)
    assert "2026" not in line


def test_a_delivery_keeps_its_id_and_its_reason_at_80_columns() -> None:
    view = DeliveryView(
        id="msg_01jdxq5kabcdefghij",
        receiver="ops-hook",
        state=State.PENDING,
        reason=text_reason("held back by another delivery that the receiver refuses"),
        attempts=12,
        may_be_repeat=False,
        created_at=NOW - timedelta(days=1),
        attempted_at=NOW,
        next_at=NOW + timedelta(hours=1),
        settled_at=None,
        answer=None,
        events=(announced().event,),
    )
    heading, line = lines(delivery_table([view], TIMES), 80)
    assert heading.split()[:4] == ["DELIVERY", "RECEIVER", "STATE", "REASON"]
    assert "msg_01jdxq5k" in line
    assert "held back by another" in line
    assert width(line) <= 80


IDS = [
    "view of 6wxgu1abcde",
    "view of 6wxgu1abcdefghijkl and of nothing else in the world",
    "service=6wxgu1abcde,7yaaa2abcde type=pop",
    "msg_01jdxq5kabcdefg: the receiver said no, and it said it slowly",
    "channel C0123456789",
    "추천 모델 maqll0abcde 버전이 실패했습니다",
]


@pytest.mark.parametrize("text", IDS)
@pytest.mark.parametrize("limit", [20, 40, 80, 100])
def test_a_text_is_shortened_behind_its_ids_only(text: str, limit: int) -> None:
    table = Table(("WATCH", Column("TEXT", least=6), "OTHER"), [row("w" * 30, text, "o" * 30), row("w", "", "o")])
    shown = "\n".join(lines(table, limit))
    ids = re.findall(r"6wxgu1\w+|7yaaa2\w+|msg_\w+|C0123456789|maqll0abcde", text)
    assert ids
    assert [item for item in ids if item not in shown] == []


@pytest.mark.parametrize(
    "text", ["the receiver said no", "http 500: oops, 10 of 10", "2026-11-28 is a day", "relatedItem"]
)
def test_a_text_without_an_id_is_shortened_anywhere(text: str) -> None:
    assert lines(Table((Column("TEXT", least=6),), [row(text)]), 6)[1] == f"{text[:5]}…"
