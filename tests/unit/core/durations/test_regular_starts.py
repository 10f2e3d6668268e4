"""How regularly trainings start, from the bounds of their latest starts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.regular_starts import learned_period

START = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def starts(hours: Sequence[float], wide: int | None = None) -> tuple[Bounds, ...]:
    """Return starts with these hours between them; the bounds of one may be as wide as an outage."""
    times = [START + timedelta(hours=passed) for passed in accumulate(hours, initial=0.0)]
    widths = [3 * timedelta(hours=1) if number == wide else MINUTE for number, _ in enumerate(times)]
    return tuple(Bounds(after=time - width, before=time) for time, width in zip(times, widths, strict=True))


@pytest.mark.parametrize(
    ("hours", "period", "known"),
    [
        ([6] * 5, 6, 6),
        ([6, 6.3, 5.8, 6.1, 6], 6, 6),
        ([24] * 5, 24, 6),
        ([1] * 29, 1, 21),
        ([6] * 18 + [40], 6, 20),
    ],
)
def test_regular_starts_have_a_period(hours: list[float], period: float, known: int) -> None:
    learned = learned_period(starts(hours))
    assert learned is not None
    assert abs(learned.period - timedelta(hours=period)) < timedelta(minutes=6)
    assert learned.starts == known


@pytest.mark.parametrize(
    "hours",
    [
        [],
        [6] * 4,
        [6, 2, 9, 4, 7, 6],
        [6, 6, 6, 6, 12],
        [24, 24, 24, 24, 72] * 3,
        ([1] * 9 + [15]) * 2,
        [1] * 8,
        [0.0] * 8,
    ],
    ids=["none", "five", "irregular", "one-missed", "weekdays", "office-hours", "an-afternoon", "at-once"],
)
def test_other_starts_have_none(hours: list[float]) -> None:
    assert learned_period(starts(hours)) is None


def test_a_start_that_an_outage_made_uncertain_does_not_teach() -> None:
    assert learned_period(starts([6] * 5, wide=2)) is None
    learned = learned_period(starts([6] * 9, wide=2))
    assert learned is not None
    assert (learned.period, learned.starts) == (timedelta(hours=6), 8)


@pytest.mark.parametrize("day", [datetime(2027, 3, 24, tzinfo=UTC), datetime(2026, 10, 21, tzinfo=UTC)])
def test_a_local_clock_that_changes_keeps_a_daily_job_regular(day: datetime) -> None:
    zone = ZoneInfo("Europe/Berlin")
    nights = [(day + timedelta(days=count)).replace(hour=3, minute=30, tzinfo=zone) for count in range(8)]
    times = [night.astimezone(UTC) for night in nights]
    assert len({later - time for time, later in pairwise(times)}) == 2
    learned = learned_period(tuple(Bounds(after=time, before=time) for time in times))
    assert learned is not None
    assert learned.period == timedelta(days=1)
