"""A soak: the real command polls five hundred trainings while faults occur."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.support import soak
from tests.support.fault_table import TALLY, note_growth, remark

GROWTH_MEGABYTES: Final = 20.0
DESCRIPTORS: Final = 64
DESCRIPTORS_GROWN: Final = 4.0
JOURNAL_MEGABYTES: Final = 16.0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the figures of a process are read from /proc")
async def test_r22_memory_descriptors_and_journal_stay_flat_in_a_soak(tmp_path: Path) -> None:
    minutes = 5.0 if TALLY.full else 0.4
    result = await soak.run(tmp_path, minutes, sample_seconds=2.0)
    note_growth(result.growth_megabytes)
    remark(f"{minutes:g} minutes, {result.struck} faults; docs/soak.svg is the long one")
    assert result.violated == []
    assert result.growth_megabytes < GROWTH_MEGABYTES
    assert max(sample.descriptors for sample in result.samples) < DESCRIPTORS
    assert soak.growth(float(sample.descriptors) for sample in result.samples) < DESCRIPTORS_GROWN
    assert max(sample.journal_megabytes for sample in result.samples) < JOURNAL_MEGABYTES
