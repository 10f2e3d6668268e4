"""Each misbehaviour of the API: nothing wrong is announced, nothing is lost, and no other service is delayed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from tests.alone.integration.misbehaviour.cases import THEMES
from tests.alone.integration.misbehaviour.fault_run import HEADER, Row, is_program_error, run_trials
from watcher.simulator.faults.kinds import KINDS

AT_ONCE: Final = 8
"""The number of daemons that run at the same time in the test's event loop."""


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    """Collect every row and print them at the end, for ``pytest -s``."""
    rows: list[Row] = []
    yield rows
    print("", HEADER, *(row.line() for row in rows), sep="\n")


def test_every_fault_kind_of_the_simulator_has_a_case() -> None:
    assert {case.fault.kind for cases in THEMES.values() for case in cases} == set(KINDS)


@pytest.mark.parametrize("theme", THEMES)
async def test_r8_to_r11_one_service_misbehaves_while_three_others_are_watched(
    theme: str, tmp_path: Path, table: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as log:
        rows = await run_trials(THEMES[theme], tmp_path, log, AT_ONCE)
    table += rows
    assert [row.line() for row in rows if not row.holds] == []
    assert [entry for entry in log if is_program_error(entry)] == []
    assert [record.message for record in caplog.records if _is_unhandled_error(record)] == []


def _is_unhandled_error(record: logging.LogRecord) -> bool:
    """Say whether asyncio reports a task whose error was never retrieved."""
    return record.name == "asyncio" and record.levelno >= logging.ERROR
