"""The reasons of ``/readyz``: the store is read once a second, and one that cannot be read is a reason itself."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from watcher.clock import Clock
from watcher.core.health.readiness import HealthStats, NotReady, TrainingInProgress
from watcher.core.training.model import TrainingRef
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.metrics import Metrics
from watcher.store.errors import StoreUnusable
from watcher.wiring import health_endpoints
from watcher.wiring.health_endpoints import FRESH_SECONDS, HealthReporter
from watcher.wiring.pipeline import Pipeline
from watcher.wiring.runtime import Runtime


class MovedClock(Clock):
    """A clock that a test moves."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


async def nothing() -> tuple[()]:
    return ()


class Reported:
    """A reporter beside a store, a poller and a writer of which a test decides the state."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = MovedClock()
        self.first_round = asyncio.Event()
        self.outage = SimpleNamespace(cause=None)
        self.stats: HealthStats | None = HealthStats()
        self.reads: list[bool] = []
        monkeypatch.setattr(health_endpoints, "read_health_stats", self.read)
        poller = SimpleNamespace(first_round=self.first_round, in_progress=nothing, retrainings=nothing)
        pipeline = cast(Pipeline, SimpleNamespace(poller=poller, store_outage=self.outage))
        self.metrics = Metrics(self.clock)
        runtime = Runtime(environ={}, redactor=Redactor(), clock=self.clock, output=LineWriter(io.StringIO()))
        self.reporter = HealthReporter("sqlite:////nowhere/watcher.db", self.metrics, pipeline, runtime)

    def read(self, _url: str, now: datetime, *, in_progress: bool) -> HealthStats:
        self.reads.append(in_progress)
        if self.stats is None:
            raise StoreUnusable("no database")
        ref = TrainingRef("main", "shop", "pop", "v1")
        training = TrainingInProgress(ref=ref, status="learning", since=now)
        return HealthStats(in_progress=(training,) if in_progress else (), unrouted=self.stats.unrouted)

    async def codes(self) -> Sequence[NotReady]:
        return [reason.code for reason in await self.reporter.reasons()]

    async def trainings(self) -> int:
        stats = (await self.reporter.reading()).health_stats
        return 0 if stats is None else len(stats.in_progress)


@pytest.fixture
async def reported(monkeypatch: pytest.MonkeyPatch) -> Reported:
    return Reported(monkeypatch)


async def test_until_the_first_round_there_is_a_reason_and_then_none(reported: Reported) -> None:
    assert await reported.codes() == [NotReady.FIRST_ROUND]
    reported.first_round.set()
    assert await reported.codes() == []
    assert (await reported.reporter.readiness()).ready


async def test_a_late_loop_and_a_store_that_cannot_be_written_are_reasons_at_once(reported: Reported) -> None:
    reported.first_round.set()
    reported.metrics.progressed("polling", 1.0)
    assert await reported.codes() == []
    reported.outage.cause = "disk-full"
    reported.clock.seconds = 100.0
    assert await reported.codes() == [NotReady.STORE_FAILING, NotReady.LOOP]
    assert reported.reporter.late_loops() == {"polling": 99.0}


async def test_many_requests_read_the_store_once_a_second_and_not_the_trainings(reported: Reported) -> None:
    await asyncio.gather(*(reported.codes() for _ in range(5)))
    assert reported.reads == [False]
    reported.clock.seconds = FRESH_SECONDS
    await reported.codes()
    assert reported.reads == [False, False]


async def test_the_metrics_are_never_older_than_the_reasons(reported: Reported) -> None:
    reported.first_round.set()
    assert await reported.trainings() == 1
    assert await reported.codes() == []
    assert reported.reads == [True], "a read with the trainings is good for the reasons, too"
    reported.clock.seconds = FRESH_SECONDS
    reported.stats = HealthStats(unrouted=1)
    assert await reported.codes() == [NotReady.EVENTS_UNROUTED]
    assert await reported.trainings() == 1
    assert reported.reads == [True, False, True], "the older statistics were shown again"
    assert [reason.code for reason in (await reported.reporter.reading()).reasons] == [NotReady.EVENTS_UNROUTED]


async def test_a_store_that_cannot_be_read_is_logged_once_and_read_again(reported: Reported) -> None:
    reported.first_round.set()
    reported.stats = None
    with capture_logs() as logs:
        for second in range(3):
            reported.clock.seconds = float(second)
            assert await reported.codes() == [NotReady.STORE]
    assert [(entry["event"], entry["problem"]) for entry in logs] == [("store.read_failed", "no database")]
    reported.stats = HealthStats()
    reported.clock.seconds = 3.0
    assert await reported.codes() == []
    reported.stats = None
    reported.clock.seconds = 4.0
    with capture_logs() as logs:
        assert await reported.codes() == [NotReady.STORE]
    assert len(logs) == 1
