"""``python -m bench [P1 P5 …] [--quick]``: measure and print the table."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from bench.changes import burst_figures, start_figures
from bench.figure import Figure, table
from bench.latency import idle_figures, latency_figures
from bench.polling import list_figures, view_figures
from bench.saturated import saturated_figures

Cases = Mapping[str, Callable[[], list[Figure]]]

FULL: Final[Cases] = {
    "P1": lambda: list_figures([10_000, 50_000, 100_000], 4),
    "P2": lambda: view_figures(10_000, 4),
    "P3": lambda: saturated_figures(20),
    "P4": lambda: latency_figures(60),
    "P5": lambda: burst_figures(20_000),
    "P7": lambda: start_figures(10_000),
    "P10": lambda: idle_figures(60),
}
QUICK: Final[Cases] = {
    "P3": lambda: saturated_figures(4),
    "P4": lambda: latency_figures(10),
    "P5": lambda: burst_figures(3000),
    "P7": lambda: start_figures(3000),
    "P10": lambda: idle_figures(15),
}
"""Smaller cases within two minutes; P1 and P2 need whole sweeps of 30 s."""


def main() -> None:
    """Measure the named cases, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(FULL)}; all without a name")
    parser.add_argument("--quick", action="store_true", help="smaller cases, within two minutes")
    given = parser.parse_args()
    cases = QUICK if given.quick else FULL
    chosen = given.cases or list(cases)
    figures = [figure for name in chosen for figure in cases[name]()]
    print(f"{platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}\n")  # noqa: T201
    print(table(figures))  # noqa: T201


if __name__ == "__main__":
    main()
