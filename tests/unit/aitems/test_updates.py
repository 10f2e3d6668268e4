"""Reading of Get update list and Get service: the documented samples, what is left out, and bad answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from watcher.aitems import wire
from watcher.aitems.updates import read_updates, schedule_in, updates_path
from watcher.aitems.wire import BadAnswer, ServiceInfo
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.updates.model import ShownUpdate
from watcher.core.updates.result import UpdateList
from watcher.core.updates.schedule import ServiceSchedule
from watcher.http import Answered, Headers

NOW = datetime(2026, 11, 29, tzinfo=UTC)
REF = TrainingRef("main", "49qk0gggggg", "personalRecommend", "maql0bbbbbb")
UPDATE = {
    "updateVersion": "p0000kkkkkk",
    "status": "completed",
    "type": "personalRecommend",
    "createdDate": "2026-03-02T03:00:01.020",
    "finishedDate": "2026-03-02T03:21:44.903",
    "updateResult": {"inputUsersCnt": 1204},
}
"""The sample of the page "Get update list"."""
SERVICE = {
    "serviceId": "49qk0gggggg",
    "name": "shop_reco_hourly",
    "status": "scheduled",
    "type": "interval",
    "learningInterval": "hour6",
    "scheduledDate": "2026-03-02T15:00:00.000",
}


def read(document: object) -> UpdateList | BadAnswer:
    body = json.dumps(document).encode()
    headers = Headers([("Date", "Sun, 29 Nov 2026 00:00:00 GMT")])
    return read_updates(Answered(status=200, headers=headers, body=body, asked_at=NOW, answered_at=NOW), REF)


def listed(*updates: object) -> UpdateList:
    answer = read({"updates": updates})
    assert isinstance(answer, UpdateList), answer
    return answer


def schedule(**changes: object) -> tuple[ServiceSchedule, tuple[str, ...]]:
    service = wire.read_service(json.dumps({**SERVICE, **changes}).encode(), ServiceRef("main", "49qk0gggggg"))
    assert isinstance(service, ServiceInfo), service
    result = schedule_in(service)
    return result.schedule, result.deviations


def test_the_documented_sample_is_read_whole() -> None:
    answer = listed(UPDATE)
    assert answer.shown == (
        ShownUpdate(
            version="p0000kkkkkk",
            status="completed",
            created_date="2026-03-02T03:00:01.020",
            finished_date="2026-03-02T03:21:44.903",
            counts={"inputUsersCnt": 1204},
        ),
    )
    assert (answer.deviations, answer.unreadable, answer.server_date) == ((), (), NOW)


@pytest.mark.parametrize("missing", ["createdDate", "finishedDate", "updateResult", "type"])
def test_a_field_that_is_missing_or_null_is_no_deviation(missing: str) -> None:
    assert listed({name: value for name, value in UPDATE.items() if name != missing}).deviations == ()
    assert listed({**UPDATE, missing: None}).unreadable == () or missing == "type"


def test_undocumented_words_and_fields_are_data_and_deviations() -> None:
    answer = listed(
        {**UPDATE, "status": "cooking", "mood": 1, "finishedDate": 7, "updateResult": {"n": 1.5, "m": True}}
    )
    assert [(item.status, item.finished_date, dict(item.counts)) for item in answer.shown] == [("cooking", None, {})]
    assert answer.deviations == (
        "new field of an update: mood",
        "new status of an update: cooking",
        "unlike the documents: finishedDate of an update is a number",
    )


@pytest.mark.parametrize(
    "change",
    [{"updateVersion": None}, {"status": 3}, {"type": "pop"}, {"serviceId": "other"}, {"trainVersion": "other"}],
)
def test_a_record_that_cannot_be_read_is_left_out_and_named(change: dict[str, object]) -> None:
    answer = listed({**UPDATE, **change}, {**UPDATE, "updateVersion": "next"})
    assert [item.version for item in answer.shown] == ["next"]
    assert len(answer.unreadable) == 1


@pytest.mark.parametrize("document", [{}, {"updates": None}, {"updates": {}}, [], {"error": {"errorCode": "900"}}])
def test_an_answer_without_a_list_is_bad(document: object) -> None:
    assert isinstance(read(document), BadAnswer)


def test_the_path_has_both_required_keys_percent_encoded() -> None:
    ref = TrainingRef("main", "s/1", "pop", "v 1&")
    assert updates_path(ref) == "/services/s%2F1/updates?type=pop&trainVersion=v%201%26"


@pytest.mark.parametrize(
    ("changes", "has_updates", "hours"),
    [
        ({}, True, 6),
        ({"status": "scheduledLearning", "learningInterval": "hour12"}, True, 12),
        ({"type": "batch"}, False, None),
        ({"type": None}, False, None),
        ({"status": "learnable"}, True, None),
        ({"status": "brandNew"}, True, 6),
    ],
)
def test_a_cycle_counts_for_an_interval_service_that_is_not_at_rest(
    changes: dict[str, object], *, has_updates: bool, hours: int | None
) -> None:
    found, deviations = schedule(**changes)
    assert found.has_updates is has_updates
    assert found.cycle == (None if hours is None else timedelta(hours=hours))
    assert deviations == ()


def test_an_undocumented_cycle_is_a_deviation_and_expects_nothing() -> None:
    found, deviations = schedule(learningInterval="day1")
    assert (found.has_updates, found.cycle, deviations) == (True, None, ("new learningInterval: day1",))
