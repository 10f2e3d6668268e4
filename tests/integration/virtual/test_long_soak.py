"""The whole daemon over days, on virtual time: nothing is lost, and nothing grows once history is forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.support import long_soak
from tests.support.long_soak import LongSoak, Plan
from tests.support.tally import grew, remark

GROWTH_MEGABYTES: Final = 10.0
DESCRIPTORS: Final = 64
JOURNAL_MEGABYTES: Final = 16.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a process takes is read from /proc"),
]


def judge(result: LongSoak, plan: Plan) -> None:
    """Say what it came to in its row, and see that it held."""
    grew(result.growth_megabytes)
    remark(f"{plan.hours:g} h of faked time, {result.struck} faults, {result.lives} lives")
    assert result.broken == []
    assert result.growth_megabytes < GROWTH_MEGABYTES
    assert max(sample.descriptors for sample in result.samples) < DESCRIPTORS
    assert max(sample.journal_megabytes for sample in result.samples) < JOURNAL_MEGABYTES
    assert result.beats > plan.hours * 30, "the heart beats each minute, unless somebody was not told"


def test_r22_hours_of_faked_time_stay_flat(tmp_path: Path) -> None:
    plan = Plan(hours=3, interval_seconds=60, sample_minutes=5, day_hours=3)
    judge(long_soak.run(tmp_path, plan), plan)


@pytest.mark.torture
def test_r22_three_days_of_faked_time_stay_flat_and_history_is_forgotten() -> None:
    plan = Plan(hours=72, interval_seconds=60)
    with tempfile.TemporaryDirectory(dir=long_soak.quick_place()) as folder:
        result = long_soak.run(Path(folder), plan)
    judge(result, plan)
    assert result.events > 2 * max(sample.events_kept for sample in result.samples), "the store keeps a day, not three"
    later = [sample.store_megabytes for sample in result.samples if sample.minute > 30 * 60]
    assert later[-1] < 1.2 * later[0], "a day's events take no more room on the third day"
