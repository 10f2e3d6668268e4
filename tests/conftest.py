"""Every test that is named after a fault of docs/reliability.md feeds the table that the run prints."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_table import NAMED, TALLY, Row


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="the faults alone, each with its full number of rounds")
    parser.addoption(
        "--tally", type=Path, help="a file for the rows of this run; tests.support.fault_table makes a table of several"
    )


def pytest_configure(config: pytest.Config) -> None:
    TALLY.full = bool(config.getoption("--torture"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not _is_wanted(item)])
    # Those of many minutes first, so that the other process has done the rest when they end.
    items[:] = sorted(filter(_is_wanted, items), key=lambda item: item.get_closest_marker("torture") is None)


def _is_wanted(item: pytest.Item) -> bool:
    if TALLY.full:
        return NAMED.match(item.name) is not None
    return item.get_closest_marker("torture") is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with TALLY.row_of(item.name) as row:
        try:
            outcome = yield
        except pytest.skip.Exception:
            if row is not None:
                row.skipped += 1
            raise
        except BaseException:
            if row is not None:
                row.failed += 1
            raise
        if row is not None:
            _forgive(row, item)
        return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Let the row of a fault say that its test cannot be run here, and why."""
    try:
        return (yield)
    except pytest.skip.Exception as skipped:
        with TALLY.row_of(item.name) as row:
            if row is not None:
                row.skipped += 1
                row.remarks.append(f"skipped: {skipped}")
        raise


def _forgive(row: Row, item: pytest.Item) -> None:
    """Count a test that was run again and then held as one that holds, and say so."""
    again: int = getattr(item, "execution_count", 1) - 1
    if again:
        row.failed -= again
        row.remarks.append(f"{item.name} held when run again")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's rows to the process that started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = TALLY.facts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in a worker's rows; one that crashed has none."""
    TALLY.add(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    file: Path | None = config.getoption("--tally")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(TALLY.facts()))
    elif TALLY.rows:
        terminalreporter.section("faults of docs/reliability.md")
        for line in TALLY.lines():
            terminalreporter.write_line(line)
