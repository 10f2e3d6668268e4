"""The complete daemon over days of virtual time: nothing is lost, and nothing grows once history is pruned."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.support import long_soak, virtual
from tests.support.fault_table import note_growth, remark
from tests.support.long_soak import LongSoak, Plan
from tests.support.soak import growth

GROWTH_MEGABYTES: Final = 10.0
DESCRIPTORS: Final = 64
DESCRIPTORS_GROWN: Final = 4.0
JOURNAL_MEGABYTES: Final = 16.0
SLACK_HOURS: Final = 0.5
"""Beyond the maintenance interval: nothing is pruned while the wall clock is in doubt."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="the resources of a process are read from /proc"
)


def check(result: LongSoak, plan: Plan) -> None:
    """Note the results in the row of the fault, and check them."""
    note_growth(result.growth_megabytes)
    remark(f"{plan.hours:g} h of virtual time, {result.struck} faults, {result.runs} runs")
    assert result.violated == []
    assert result.growth_megabytes < GROWTH_MEGABYTES
    assert max(sample.descriptors for sample in result.samples) < DESCRIPTORS
    assert growth(float(sample.descriptors) for sample in result.samples) < DESCRIPTORS_GROWN
    assert max(sample.journal_megabytes for sample in result.samples) < JOURNAL_MEGABYTES
    assert result.heartbeats > plan.hours * 30, "a heartbeat each minute, except while an alert was not sent"


def check_pruning(result: LongSoak, plan: Plan) -> None:
    """Check that history older than ``keep_hours`` is pruned with all its rows, and that the store stops growing."""
    overdue = max(sample.overdue_hours for sample in result.samples)
    remark(f"history of {plan.keep_hours:g} h: pruned at most {overdue:.1f} h after its time")
    assert overdue < plan.maintenance_minutes / 60 + SLACK_HOURS
    assert max(sample.orphans for sample in result.samples) == 0
    assert result.events > 2 * max(sample.events_kept for sample in result.samples), "the store keeps a part of them"
    later = [sample.store_megabytes for sample in result.samples if sample.minute > 1.25 * plan.keep_hours * 60]
    assert later[-1] < 1.2 * later[0], "the same amount of history keeps its size"


@pytest.mark.torture
def test_r22_hours_of_virtual_time_use_constant_resources_and_history_is_pruned(tmp_path: Path) -> None:
    plan = Plan(
        hours=3.5,
        interval_seconds=60,
        sample_minutes=5,
        day_hours=3,
        change_seconds=(2.0, 6.0),
        keep_hours=1,
        maintenance_minutes=5,
        sweep_seconds=virtual.SWEEP_SECONDS,
    )
    result = long_soak.run(tmp_path, plan)
    check(result, plan)
    check_pruning(result, plan)


@pytest.mark.torture
def test_r22_three_days_of_virtual_time_use_constant_resources_and_history_is_pruned() -> None:
    plan = Plan(hours=72, interval_seconds=60)
    with tempfile.TemporaryDirectory(dir=long_soak.memory_folder()) as folder:
        result = long_soak.run(Path(folder), plan)
    check(result, plan)
    check_pruning(result, plan)
