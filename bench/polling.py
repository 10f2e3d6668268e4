"""P1, P2, P6 and P8: the cost, the memory and the lateness of routine polls."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bench.daemon import Daemon, Server, configuration, daemon, server
from bench.figure import Bar, Figure, Yardstick
from bench.histogram import LATENESS, Histogram, histogram
from bench.process import Usage
from bench.world import service_name, version

INTERVAL_SECONDS: Final = 30
CHANGED_SHARE: Final = 0.01
PER_SERVICE: Final = 1000
LISTED: Final = 'service = "*"\ninterval = "30s"\nidle_interval = "30s"'


class Peer(Protocol):
    """Other programs that do the same job."""

    @property
    def name(self) -> str:
        """Their names."""
        ...

    @property
    def milliseconds(self) -> float:
        """CPU time of one view."""
        ...


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The use of some sweeps over all trainings."""

    trainings: int
    sweeps: int
    usage: Usage
    polls: float

    @property
    def core_percent(self) -> float:
        """CPU time in percent of one core."""
        return 100 * self.usage.cpu_seconds / (self.sweeps * INTERVAL_SECONDS)

    @property
    def microseconds(self) -> float:
        """CPU time for one training in one sweep."""
        return 1e6 * self.usage.cpu_seconds / (self.sweeps * self.trainings)


def lists(trainings: int, sweeps: int) -> Sweeps:
    """Measure sweeps over lists of 1,000 trainings, 1 % of which change in each sweep."""
    services, each = max(1, trainings // PER_SERVICE), min(PER_SERVICE, trainings)
    with running(services, [LISTED], per_service=each) as (api, watcher):
        wait_for_baseline(api, services)
        before, polls = watcher.usage(), api.control("counts")["polls"]
        for _ in range(sweeps):
            api.control("move", share=CHANGED_SHARE)
            time.sleep(INTERVAL_SECONDS)
        used = watcher.usage().since(before)
        return Sweeps(trainings, sweeps, used, api.control("counts")["polls"] - polls)


def views(trainings: int, sweeps: int) -> tuple[Sweeps, Histogram]:
    """Measure sweeps over single trainings; return the lateness of their polls, too.

    Each has a service of its own, since two of one service share a list.
    """
    with running(trainings, list(single(trainings, "30s")), per_service=1) as (api, watcher):
        watcher.wait_for_baseline()
        time.sleep(INTERVAL_SECONDS)
        late = histogram(watcher.metrics(), LATENESS)
        before, polls = watcher.usage(), api.control("counts")["polls"]
        time.sleep(INTERVAL_SECONDS * sweeps)
        used = watcher.usage().since(before)
        done = api.control("counts")["polls"] - polls
        return Sweeps(trainings, sweeps, used, done), histogram(watcher.metrics(), LATENESS).since(late)


def list_figures(measured: Sequence[Sweeps], peer_milliseconds: float | None) -> list[Figure]:
    """P1 at several sizes, and P8 from the smallest and the largest.

    Args:
        measured: the sweeps, the smallest size first.
        peer_milliseconds: CPU time of one view by the peer in the same minutes.
    """
    figures = [figure for one in measured for figure in _p1(one, peer_milliseconds)]
    if len(measured) > 1:
        first, last = measured[0], measured[-1]
        grown = 1024 * (last.usage.peak_mb - first.usage.peak_mb) / (last.trainings - first.trainings)
        figures.append(Figure(id="P8", name="memory a training", value=grown, unit="KB", bar=1.0))
    return figures


def view_figures(measured: Sweeps, lateness: Histogram, peer: Peer | None, script_ms: float) -> list[Figure]:
    """P2 and P6, beside the peer of the same minutes and the CPU milliseconds a view of a naive script."""
    name = f"{measured.trainings:,} single trainings by view, 30 s"
    each = 1000 * measured.usage.cpu_seconds / max(1.0, measured.polls)
    script = Yardstick("a script with urllib", script_ms)
    late = 1000 * lateness.percentile(99)
    figures = [
        Figure(id="P2", name=name, value=each, unit="CPU ms a poll", bar=1.0, yardstick=script),
        Figure(id="P2", name=f"{name}: memory", value=measured.usage.peak_mb, unit="MB", bar=100),
        Figure(id="P6", name=f"{name}: lateness, p99", value=late, unit="ms", bar=250),
    ]
    if peer is not None:
        beside = Yardstick(f"{peer.name}, CPU ms", peer.milliseconds)
        ratio = each / peer.milliseconds
        figures.insert(1, Figure(id="P2", name=f"{name}: ratio", value=ratio, unit="times", bar=0.5, yardstick=beside))
    return figures


@contextmanager
def running(
    services: int, watches: Sequence[str], *, rate: float = 1000.0, per_service: int = PER_SERVICE
) -> Iterator[tuple[Server, Daemon]]:
    """Run the server and a watcher for its trainings."""
    with tempfile.TemporaryDirectory() as name, server(services, per_service) as api:
        folder = Path(name)
        with daemon(folder, configuration(api, folder, watches, rate=rate)) as watcher:
            yield api, watcher


def _p1(measured: Sweeps, peer_milliseconds: float | None) -> list[Figure]:
    name = f"{measured.trainings:,} trainings by list, 30 s, 1 % change a sweep"
    share = measured.trainings / 100_000
    figures = [
        Figure(id="P1", name=name, value=measured.core_percent, unit="% of a core", bar=5.0 * share),
        Figure(id="P1", name=f"{name}: memory", value=measured.usage.peak_mb, unit="MB", bar=50 + 100 * share),
        Figure(id="P1", name=f"{name}: a training and sweep", value=measured.microseconds, unit="CPU µs"),
    ]
    if peer_milliseconds is not None:
        cheaper = 1000 * peer_milliseconds / measured.microseconds
        text = f"{name}: cheaper than the peer"
        figures.append(Figure(id="P1", name=text, value=cheaper, unit="times", bar=100, side=Bar.AT_LEAST))
    return figures


def single(services: int, interval: str) -> Iterator[str]:
    """Yield the watches of the first training of each service."""
    for service in map(service_name, range(services)):
        timing = f'interval = "{interval}"\nidle_interval = "{interval}"'
        yield f'service = "{service}"\ntype = "pop"\nversion = "{version(0)}"\n{timing}'


def wait_for_baseline(api: Server, polls: int) -> None:
    """Wait until so many requests were made, and then a part of an interval."""
    end = time.monotonic() + 10 * INTERVAL_SECONDS
    while api.control("counts")["polls"] < polls and time.monotonic() < end:
        time.sleep(0.5)
    time.sleep(INTERVAL_SECONDS / 3)
