"""Feed the table of faults from the tests that are named after a fault of docs/reliability.md."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from hypothesis import settings

from tests.support.fault_table import NAMED, TALLY, Row
from tests.support.paths import DATA
from tests.support.shares import shares

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - below it, pytest makes folders of its own
MEMORY_BYTES: Final = 1_000_000_000
"""Enough for the stores of three runs."""

# A run draws other examples than the last one, so that several runs find what more examples would; CI draws the same
# ones each time, so that it judges the change alone. There is no deadline for an example: on a busy machine it would
# fail a test whose code is right.
settings.register_profile("few", max_examples=40, deadline=None)
settings.register_profile("fixed", max_examples=40, deadline=None, derandomize=True)
settings.register_profile("many", max_examples=1_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="the fault tests alone, each with all its rounds")
    parser.addoption(
        "--tally",
        type=Path,
        help="a file for the rows of this run; tests.support.fault_table joins several",
    )


def pytest_configure(config: pytest.Config) -> None:
    TALLY.full = bool(config.getoption("--torture"))
    _take_ignored_signals()
    _avoid_slow_defaults()


def _take_ignored_signals() -> None:
    # A shell starts background jobs with SIGINT ignored, and nohup with SIGHUP; the programs of the tests inherit that.
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


def _avoid_slow_defaults() -> None:
    # Each commit of a store waits for the disk, 4 ms on a virtual machine. No test stops the machine.
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        os.environ.setdefault("TMPDIR", str(MEMORY))
        tempfile.tempdir = None
    # The system's authorities take 30 ms to load, for each HTTP client of each daemon. No test needs them.
    os.environ["SSL_CERT_FILE"] = str(DATA / "tls" / "only-authority.pem")
    # The default prints a logged exception with the source code of each frame, which takes a second.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not _is_selected(item)])
    # The longest tests start first, so that the other process does the rest meanwhile.
    items[:] = sorted(filter(_is_selected, items), key=lambda item: item.get_closest_marker("torture") is None)
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes > 1 and not TALLY.full:
        items[:] = shares(items, processes)


def _is_selected(item: pytest.Item) -> bool:
    is_torture = item.get_closest_marker("torture") is not None
    return is_torture or NAMED.match(item.name) is not None if TALLY.full else not is_torture


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
            _count_rerun(row, item)
        return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Note in the row of a fault why its test is skipped."""
    try:
        return (yield)
    except pytest.skip.Exception as skipped:
        with TALLY.row_of(item.name) as row:
            if row is not None:
                row.skipped += 1
                row.remarks.append(f"skipped: {skipped}")
        raise


def _count_rerun(row: Row, item: pytest.Item) -> None:
    """Count a test that passed in a rerun as passed, with a remark."""
    reruns: int = getattr(item, "execution_count", 1) - 1
    if reruns:
        row.failed -= reruns
        row.remarks.append(f"{item.name} passed in a rerun")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send a worker's rows to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = TALLY.facts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add a worker's rows; a crashed worker has none."""
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
