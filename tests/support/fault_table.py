"""The table of faults: each test with an R-number feeds the row of its fault, and the run prints the table.

A run in several parts writes its rows to files; ``python -m tests.support.fault_table FILE...`` joins them
into one table.
"""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

NAMED: Final = re.compile(r"test_r(\d+)(?:_to_r(\d+))?_")
TITLES: Final = ("fault", "rounds", "events", "delivered", "lost", "2nd ids", "repeats", "slowest s", "growth MB")
WIDTHS: Final = (7, 7, 8, 10, 5, 8, 8, 10, 10)
MEGABYTE: Final = 1_000_000
KILOBYTE: Final = 1024


@dataclass(slots=True)
class Row:
    """The results of the tests of one fault."""

    fault: str
    tests: int = 0
    failed: int = 0
    skipped: int = 0
    rounds: int = 0
    checked: bool = False
    """Whether the invariant checker ran."""
    events: int = 0
    delivered: int = 0
    lost: int = 0
    second_ids: int = 0
    repeats: int = 0
    slowest_seconds: float = 0.0
    """The longest time from an event's record to its first arrival, including the time of the fault."""
    growth_megabytes: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def add(self, other: Row) -> None:
        """Add the results of another process for this fault."""
        for name in ("tests", "failed", "skipped", "rounds", "events", "delivered", "lost", "second_ids", "repeats"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.checked |= other.checked
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)
        self.growth_megabytes = max(self.growth_megabytes, other.growth_megabytes)
        self.remarks += other.remarks

    def cells(self) -> tuple[str, ...]:
        """Return the row's figures; some need the checker."""
        counts = (self.events, self.delivered, self.lost, self.second_ids, self.repeats)
        shown = tuple(f"{count:,}" if self.checked else "-" for count in counts)
        slowest = f"{self.slowest_seconds:,.1f}" if self.checked else "-"
        return (self.fault, f"{self.rounds:,}", *shown, slowest, f"{self.growth_megabytes:.1f}")

    def verdict(self) -> str:
        """Return the results of the tests and their remarks."""
        passed = self.tests - self.skipped
        results = f"{self.failed} of {self.tests} tests FAILED" if self.failed else f"{passed} tests hold"
        skipped = f"{self.skipped} skipped" if self.skipped else ""
        return "; ".join(filter(None, (results, skipped, *dict.fromkeys(self.remarks))))


@dataclass(slots=True)
class Tally:
    """The rows of one run."""

    rows: dict[str, Row] = field(default_factory=dict)
    current: Row | None = None
    full: bool = False
    """Whether each fault has its full number of rounds, for ``make torture``."""

    @contextmanager
    def row_of(self, test: str) -> Iterator[Row | None]:
        """Yield the row for the test's name; notes within the block go to that row."""
        found = NAMED.match(test)
        if found is None:
            yield None
            return
        fault = f"R{found[1]}" if found[2] is None else f"R{found[1]}-{found[2]}"
        row = self.current = self.rows.setdefault(fault, Row(fault))
        rounds, growth, before = row.rounds, row.growth_megabytes, _peak_megabytes()
        try:
            yield row
        finally:
            row.tests += 1
            row.rounds = max(row.rounds, rounds + 1)
            if row.growth_megabytes == growth:
                row.growth_megabytes = max(growth, _peak_megabytes() - before)
            self.current = None

    def facts(self) -> dict[str, dict[str, Any]]:
        """Return the rows as plain values, for another process."""
        return {fault: asdict(row) for fault, row in self.rows.items()}

    def add(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """Add the rows of another process."""
        for fault, row in facts.items():
            self.rows.setdefault(fault, Row(fault)).add(Row(**row))

    def lines(self) -> list[str]:
        """Return the lines of the table."""
        rows = sorted(self.rows.values(), key=lambda row: int(row.fault[1:].split("-")[0]))
        table = [TITLES, *(row.cells() for row in rows)]
        lines = ["".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) for cells in table]
        return [lines[0], *(f"{line}  {row.verdict()}" for line, row in zip(lines[1:], rows, strict=True))]


TALLY: Final = Tally()


def rounds(*, few: int, full: int) -> int:
    """Return the number of rounds of a fault: ``few`` in CI, ``full`` under ``make torture``; the row adds them up."""
    count = full if TALLY.full else few
    if TALLY.current is not None:
        TALLY.current.rounds += count
    return count


def remark(text: str) -> None:
    """Add a remark to the row of the current test."""
    print(f"\n{text}")
    if TALLY.current is not None:
        TALLY.current.remarks.append(text)


def note_growth(megabytes: float) -> None:
    """Note the memory growth of a process, as the test measured it."""
    if TALLY.current is not None:
        TALLY.current.growth_megabytes = max(TALLY.current.growth_megabytes, megabytes)


def _peak_megabytes() -> float:
    """Return the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else KILOBYTE) / MEGABYTE


def machine() -> str:
    """Return the date and the machine, for the line above a table."""
    model = next((line.partition(": ")[2] for line in _cpu_lines() if line.startswith("model name")), "")
    machine = f"{os.cpu_count()} cores {model or platform.machine()}, {platform.system()} {platform.release()}"
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {versions}"


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def main(files: list[str]) -> None:
    """Print one table for these files; a missing file is a part that did not finish."""
    tally = Tally()
    for path in map(Path, files):
        if path.exists():
            tally.add(json.loads(path.read_text()))
        else:
            print(f"{path} is missing: that part did not finish")
    print(machine(), *tally.lines(), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
