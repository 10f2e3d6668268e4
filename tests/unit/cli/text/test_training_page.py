"""The page of one training: dates of AiTEMS are times like all others of the page."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from tests.unit.reports.facts import EVIL, NOW, STEERING, plain_screen, snapshot
from watcher.cli.text.times import LocalTimes
from watcher.cli.text.training_page import show_training
from watcher.reports.status import KnownTraining
from watcher.reports.training_page import TrainingPage

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = timezone(timedelta(hours=1))


def shown(record: dict[str, object], zone: tzinfo | None) -> str:
    training = KnownTraining(snapshot=snapshot(record=record), name=None, last_seen=NOW, watched=True)
    page = TrainingPage(at=NOW, training=training, zone=zone, labels={}, poll=None, events=(), silences=())
    screen, stream = plain_screen()
    show_training(page, LocalTimes(NOW, BERLIN), screen)
    return next((line for line in stream.getvalue().splitlines() if line.startswith("record")), "")


@pytest.mark.parametrize(
    ("text", "zone", "local"),
    [
        ("2026-11-20T09:02:03.031", SEOUL, "createdDate 2026-11-20 01:02:03 +01:00"),
        ("2026-11-20T00:02:03", SEOUL, "createdDate 2026-11-19 16:02:03 +01:00"),
        ("2026-11-20T09:02:03", ZoneInfo("UTC"), "createdDate 2026-11-20 10:02:03 +01:00"),
        ("2026-11-20T09:02:03+09:00", None, "createdDate 2026-11-20 01:02:03 +01:00"),
        ("2026-11-20T09:02:03", None, "createdDate 2026-11-20 09:02:03 in an unknown zone"),
        ("2026-11-20", SEOUL, "createdDate 2026-11-20"),
        ("yesterday", SEOUL, "createdDate yesterday"),
        ("0001-01-01T00:00:00", SEOUL, "createdDate 0001-01-01T00:00:00"),
    ],
)
def test_a_date_without_a_zone_is_read_in_that_of_its_account(text: str, zone: tzinfo | None, local: str) -> None:
    line = shown({"createdDate": text}, zone)
    assert line == f"record    {local}"


def test_every_date_of_the_record_is_a_time_and_no_other_field() -> None:
    date = "2026-11-20T09:02:03"
    line = shown({"updatedDate": date, "finishedDate": date, "description": date, "inference": True}, SEOUL)
    assert line == (
        "record    updatedDate 2026-11-20 01:02:03 +01:00, finishedDate 2026-11-20 01:02:03 +01:00, "
        f"description {date}, inference True"
    )


def test_a_hostile_date_cannot_control_a_terminal() -> None:
    assert not STEERING.search(shown({"createdDate": EVIL}, SEOUL))
