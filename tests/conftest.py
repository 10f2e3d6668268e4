"""Every test that is named after a fault of docs/reliability.md feeds the table that the run prints."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.tally import NAMED, TALLY


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="the faults alone, each with its full number of rounds")


def pytest_configure(config: pytest.Config) -> None:
    TALLY.full = bool(config.getoption("--torture"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not _is_wanted(item)])
    items[:] = [item for item in items if _is_wanted(item)]


def _is_wanted(item: pytest.Item) -> bool:
    if TALLY.full:
        return NAMED.match(item.name) is not None
    return item.get_closest_marker("torture") is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with TALLY.row_of(item.name) as row:
        try:
            return (yield)
        except pytest.skip.Exception:
            if row is not None:
                row.skipped += 1
            raise
        except BaseException:
            if row is not None:
                row.failed += 1
            raise


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.rows:
        terminalreporter.section("faults of docs/reliability.md")
        for line in TALLY.lines():
            terminalreporter.write_line(line)
