"""P6 beside a page that many people look at: 10,000 polls, 100,000 known trainings, 200 requests a second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from bench.daemon import Daemon
from bench.figure import Bar, Figure, percentile
from bench.histogram import LATENESS, Histogram, histogram
from bench.polling import INTERVAL_SECONDS, running, wait_for_baseline
from bench.process import Usage
from bench.visits import IdleReaders, Visit, visit_at_rate, visit_each
from bench.world import service_name, version

RATE: Final = 200.0
IDLE_READERS: Final = 8
IDLE_SECONDS: Final = 40.0
"""Longer than the watcher waits for a reader, see ``watcher.web.listener``."""
PAGES: Final = 20
"""Different pages of a kind, so that none is kept from the one before."""
FIRST_BYTE_SECONDS: Final = 0.05
PAGE_KB: Final = 100.0


@dataclass(frozen=True, slots=True)
class Period:
    """Some sweeps: the lateness of their polls in seconds, the use of the process, and the requests."""

    lateness: Histogram
    usage: Usage
    visits: Sequence[Visit]


@dataclass(frozen=True, slots=True)
class PageLoad:
    """What was measured, in the order of time."""

    first: Visit
    """The first request of all, which loads the pages."""
    services: Sequence[Visit]
    trainings: Sequence[Visit]
    quiet: Period
    busy: Period
    dropped: int
    """The readers that took nothing and were disconnected."""


def page_figures(polls: int, trainings: int, sweeps: int = 2) -> list[Figure]:
    """P6 without and with requests for the overview, and the first bytes of the pages."""
    measured = _measure(polls, trainings, sweeps)
    quiet, busy = measured.quiet, measured.busy
    name = f"{polls:,} polls, {trainings:,} trainings known"
    loaded = f"{name}, {RATE:.0f} overviews/s"
    seconds = sweeps * INTERVAL_SECONDS
    return [
        *_lateness(name, quiet),
        *_lateness(loaded, busy),
        Figure(id="P6", name=f"{name}: CPU", value=_core_percent(quiet.usage, seconds), unit="% of a core"),
        Figure(id="P6", name=f"{loaded}: CPU", value=_core_percent(busy.usage, seconds), unit="% of a core"),
        Figure(id="P6", name=f"{name}: memory", value=quiet.usage.memory_mb, unit="MB"),
        Figure(id="P6", name=f"{loaded}: memory", value=busy.usage.memory_mb, unit="MB"),
        Figure(
            id="P6",
            name=f"{loaded}: answers with 200",
            value=sum(visit.status == 200 for visit in busy.visits) / seconds,  # noqa: PLR2004 - the status
            unit="/s",
            bar=RATE,
            side=Bar.AT_LEAST,
        ),
        Figure(id="P6", name=f"{name}: the very first overview", value=measured.first.first_byte_seconds, unit="s"),
        *_pages(f"{loaded}: overview", busy.visits),
        *_pages(f"{name}: service pages", measured.services),
        *_pages(f"{name}: training pages", measured.trainings),
        Figure(
            id="P6",
            name=f"{IDLE_READERS} readers that take nothing: disconnected",
            value=measured.dropped,
            unit="",
            bar=IDLE_READERS,
            side=Bar.AT_LEAST,
        ),
    ]


def _measure(polls: int, trainings: int, sweeps: int) -> PageLoad:
    with running(polls, list(_services(polls)), per_service=trainings // polls) as (api, watcher):
        wait_for_baseline(api, polls)
        time.sleep(INTERVAL_SECONDS)
        # Once, since the first request of all loads the pages.
        (first,) = visit_each(watcher.web_port, ["/"])
        quiet = _period(watcher, sweeps, busy=False)
        services = visit_each(watcher.web_port, [_service_page(number) for number in range(PAGES)])
        shown = visit_each(watcher.web_port, [_training_page(number) for number in range(PAGES)])
        idle, begun = IdleReaders(watcher.web_port, IDLE_READERS), time.monotonic()
        busy = _period(watcher, sweeps, busy=True)
        time.sleep(max(0.0, IDLE_SECONDS - (time.monotonic() - begun)))
        return PageLoad(first, services, shown, quiet, busy, idle.dropped())


def _period(watcher: Daemon, sweeps: int, *, busy: bool) -> Period:
    late = histogram(watcher.metrics(), LATENESS)
    before, seconds = watcher.usage(), float(sweeps * INTERVAL_SECONDS)
    visits: list[Visit] = []
    if busy:
        visits = visit_at_rate(watcher.web_port, "/", RATE, seconds)
    else:
        time.sleep(seconds)
    used = watcher.usage().since(before)
    return Period(histogram(watcher.metrics(), LATENESS).since(late), used, visits)


def _services(count: int) -> Iterator[str]:
    """Yield the watches of whole services, each of which is one poll."""
    timing = f'interval = "{INTERVAL_SECONDS}s"\nidle_interval = "{INTERVAL_SECONDS}s"'
    yield from (f'service = "{service_name(number)}"\n{timing}' for number in range(count))


def _service_page(number: int) -> str:
    return f"/service/main/{quote(service_name(number))}"


def _training_page(number: int) -> str:
    return f"/training/main/{quote(service_name(number))}/pop/{version(0)}"


def _core_percent(usage: Usage, seconds: float) -> float:
    return 100 * usage.cpu_seconds / seconds


def _lateness(name: str, period: Period) -> Iterator[Figure]:
    yield Figure(id="P6", name=f"{name}: lateness, mean", value=1000 * period.lateness.mean, unit="ms")
    for percent, bar in ((50, None), (99, 250.0)):
        late = 1000 * period.lateness.percentile(percent)
        yield Figure(id="P6", name=f"{name}: lateness, p{percent}", value=late, unit="ms", bar=bar)


def _pages(name: str, visits: Sequence[Visit]) -> Iterator[Figure]:
    times = [visit.first_byte_seconds for visit in visits]
    for percent in (50, 99):
        value = 1000 * percentile(times, percent)
        bar = 1000 * FIRST_BYTE_SECONDS
        yield Figure(id="P6", name=f"{name}: first byte, p{percent}", value=value, unit="ms", bar=bar)
    largest = max(visit.size for visit in visits) / 1024
    yield Figure(id="P6", name=f"{name}: size", value=largest, unit="KB", bar=PAGE_KB)
