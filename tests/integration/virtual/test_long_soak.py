"""The whole daemon over days, on virtual time: nothing is lost, and nothing grows once history is forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.support import long_soak
from tests.support.fault_table import grew, remark
from tests.support.long_soak import LongSoak, Plan
from tests.support.soak import growth

GROWTH_MEGABYTES: Final = 10.0
DESCRIPTORS: Final = 64
DESCRIPTORS_GROWN: Final = 4.0
JOURNAL_MEGABYTES: Final = 16.0
SLACK_HOURS: Final = 0.5
"""Beyond the upkeep's turn: while the wall clock is in doubt nothing is forgotten."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a process takes is read from /proc"),
]


def judge(result: LongSoak, plan: Plan) -> None:
    """Say what it came to in its row, and see that it held."""
    grew(result.growth_megabytes)
    remark(f"{plan.hours:g} h of faked time, {result.struck} faults, {result.lives} lives")
    assert result.violated == []
    assert result.growth_megabytes < GROWTH_MEGABYTES
    assert max(sample.descriptors for sample in result.samples) < DESCRIPTORS
    assert growth(float(sample.descriptors) for sample in result.samples) < DESCRIPTORS_GROWN
    assert max(sample.journal_megabytes for sample in result.samples) < JOURNAL_MEGABYTES
    assert result.deadlines > plan.hours * 30, "the heart beats each minute, unless somebody was not told"


def judge_pruning(result: LongSoak, plan: Plan) -> None:
    """See that what is older than history is kept for is gone, with all its rows, and makes room for what comes."""
    overdue = max(sample.overdue_hours for sample in result.samples)
    remark(f"history of {plan.keep_hours:g} h: forgotten at most {overdue:.1f} h after it might be")
    assert overdue < plan.maintenance_minutes / 60 + SLACK_HOURS
    assert max(sample.orphans for sample in result.samples) == 0
    assert result.events > 2 * max(sample.events_kept for sample in result.samples), "the store keeps a part of it"
    later = [sample.store_megabytes for sample in result.samples if sample.minute > 1.25 * plan.keep_hours * 60]
    assert later[-1] < 1.2 * later[0], "as much history takes no more room later on"


def test_r22_hours_of_faked_time_stay_flat_and_history_is_pruned(tmp_path: Path) -> None:
    plan = Plan(
        hours=3.5,
        interval_seconds=60,
        sample_minutes=5,
        day_hours=3,
        change_seconds=(2.0, 6.0),
        keep_hours=1,
        maintenance_minutes=5,
    )
    result = long_soak.run(tmp_path, plan)
    judge(result, plan)
    judge_pruning(result, plan)


@pytest.mark.torture
def test_r22_three_days_of_faked_time_stay_flat_and_history_is_pruned() -> None:
    plan = Plan(hours=72, interval_seconds=60)
    with tempfile.TemporaryDirectory(dir=long_soak.quick_place()) as folder:
        result = long_soak.run(Path(folder), plan)
    judge(result, plan)
    judge_pruning(result, plan)
