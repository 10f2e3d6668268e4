"""An unreadable record is neither seen nor absent, and is one deviation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.polling.deviation import deviations_in
from watcher.core.polling.result import PollResult, UnreadableRecord
from watcher.core.training.model import TrainingRef

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KNOWN = [TrainingRef("main", "s", train_type, version) for train_type in ("pop", "rel") for version in ("v1", "v2")]


def unreadable(*identity: str | None, reason: str = "no status") -> UnreadableRecord:
    return UnreadableRecord(reason=reason, identity=identity, sample={"status": "null"})


def result(*records: UnreadableRecord, deviations: tuple[str, ...] = ()) -> PollResult:
    return PollResult(shown=(), asked_at=NOW, answered_at=NOW, digest=b"", deviations=deviations, unreadable=records)


@pytest.mark.parametrize(
    ("records", "absent"),
    [
        ([], ["pop/v1", "pop/v2", "rel/v1", "rel/v2"]),
        ([("pop", "v2")], ["pop/v1", "rel/v1", "rel/v2"]),
        ([("pop", None)], ["rel/v1", "rel/v2"]),
        ([(None, "v1")], ["pop/v2", "rel/v2"]),
        ([(None, None)], []),
        ([("pop", "v2"), ("rel", None)], ["pop/v1"]),
        ([("sequence", "v1")], ["pop/v1", "pop/v2", "rel/v1", "rel/v2"]),
    ],
)
def test_an_unreadable_record_hides_what_it_may_stand_for(
    records: list[tuple[str | None, ...]], absent: list[str]
) -> None:
    found = result(*(unreadable(*identity) for identity in records)).absent(KNOWN)
    assert [f"{ref.type}/{ref.version}" for ref in found] == absent


def test_unreadable_records_with_one_reason_are_one_deviation_with_their_own_sample() -> None:
    answer = result(unreadable("pop", "v1"), unreadable("pop", "v2"), deviations=("new field: x",))
    found = deviations_in(answer, frozenset(), "poll")
    assert [(item.description, item.sample) for item in found] == [
        ("no status", {"status": "null"}),
        ("new field: x", {}),
    ]
    assert deviations_in(answer, frozenset({"no status", "new field: x"}), "poll") == ()
