"""The one text format of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from watcher.core.timestamps import from_text, require_utc, to_text

NOON = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "time",
    [
        NOON,
        NOON.astimezone(timezone(timedelta(hours=9))),
        NOON.astimezone(timezone(timedelta())),
        NOON.astimezone(ZoneInfo("Asia/Seoul")),
        NOON.astimezone(ZoneInfo("UTC")),
    ],
    ids=["utc", "offset", "zero-offset", "zone", "zone-utc"],
)
def test_one_instant_has_one_text_in_every_zone(time: datetime) -> None:
    assert to_text(time) == "2026-11-23T12:00:00.000005Z"
    assert require_utc(time).tzinfo is UTC
    assert from_text(to_text(time)) == NOON


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_text(NOON.replace(tzinfo=None))
