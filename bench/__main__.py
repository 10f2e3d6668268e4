"""``python -m bench [P1 P5 …] [--quick]``: measure and print the table."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final

from bench import naive, prometheus
from bench.adaptive import detection_figures
from bench.changes import burst_figures, start_figures
from bench.daemon import server
from bench.durations import duration_figures
from bench.figure import Figure, table
from bench.latency import PAUSE_SECONDS, PER_SERVICE, SERVICES, idle_figures, latency_figures
from bench.page import page_figures
from bench.polling import list_figures, lists, view_figures, views
from bench.saturated import saturated_figures

Cases = Mapping[str, Callable[[], list[Figure]]]

PEER_TRAININGS: Final = 1000


def _lists(sizes: list[int], sweeps: int) -> list[Figure]:
    peer = _peer()
    return list_figures([lists(size, sweeps) for size in sizes], None if peer is None else peer.milliseconds)


def _views(trainings: int, sweeps: int) -> list[Figure]:
    peer = _peer()
    with server(1, PEER_TRAININGS) as api:
        script = naive.measure(api, 1, PEER_TRAININGS, naive.INTERVAL_SECONDS)
    return view_figures(*views(trainings, sweeps), peer, script.milliseconds)


def _latency(seconds: float, *, with_peer: bool) -> list[Figure]:
    others = prometheus.latencies(SERVICES, PER_SERVICE, seconds, PAUSE_SECONDS) if with_peer else None
    return latency_figures(seconds, prometheus.NAME, others)


@cache
def _peer() -> prometheus.StackUse | None:
    """Measure the peer once for all cases."""
    return prometheus.measure(PEER_TRAININGS, 2)


FULL: Final[Cases] = {
    "P1": lambda: _lists([10_000, 50_000, 100_000], 4),
    "P2": lambda: _views(10_000, 4),
    "P3": lambda: saturated_figures(20),
    "P4": lambda: _latency(60, with_peer=True),
    "P5": lambda: burst_figures(20_000),
    "P6": lambda: page_figures(10_000, 100_000),
    "P7": lambda: start_figures(10_000),
    "P9": detection_figures,
    "P10": lambda: idle_figures(60),
    "D": lambda: duration_figures(100),
}
QUICK: Final[Cases] = {
    "P3": lambda: saturated_figures(4),
    "P4": lambda: _latency(10, with_peer=False),
    "P5": lambda: burst_figures(3000),
    "P7": lambda: start_figures(3000),
    "P9": lambda: detection_figures(10),
    "P10": lambda: idle_figures(15),
    "D": lambda: duration_figures(10),
}
"""Smaller cases within two minutes; P1, P2 and P6 need whole sweeps of 30 s."""


def main() -> None:
    """Measure the named cases, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(FULL)}; all without a name")
    parser.add_argument("--quick", action="store_true", help="smaller cases, within two minutes")
    given = parser.parse_args()
    cases = QUICK if given.quick else FULL
    begun = time.monotonic()
    figures = [figure for name in given.cases or list(cases) for figure in cases[name]()]
    where = f"{platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    print(f"{where}, {time.monotonic() - begun:.0f} s\n\n{table(figures)}")  # noqa: T201 - the output


if __name__ == "__main__":
    main()
