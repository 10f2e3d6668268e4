"""How the watcher shows itself: the listener and the heartbeat, which say the same of its health."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from watcher.config import Config, HeartbeatSettings, SecretRef, WebSettings
from watcher.core.health.readiness import HealthStats, NotReadyReason, not_ready_reasons
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.metrics import CONTENT_TYPE, Metrics, Reading
from watcher.pipeline.heartbeat import Heartbeat
from watcher.store.errors import StoreError
from watcher.store.health_stats import read_health_stats
from watcher.web import Listener, Pages, Pinger, Readiness, build_app
from watcher.wiring.pipeline import Pipeline
from watcher.wiring.reload import Reloader
from watcher.wiring.runtime import Runtime
from watcher.wiring.secret_sources import CurrentSecret

log = structlog.get_logger()

EVERY_HOST: Final = ("*",)
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1", "[::1]")
FRESH_SECONDS: Final = 1.0
"""Whoever asks more often than that is told what the store said last, so that asking costs it nothing."""


class HealthReporter:
    """Says how the watcher is, from the store, the loops and the first round."""

    def __init__(self, store_url: str, metrics: Metrics, pipeline: Pipeline, runtime: Runtime) -> None:
        self._store_url = store_url
        self._metrics = metrics
        self._first_round = pipeline.poller.first_round
        self._store_outage = pipeline.store_outage
        self._clock = runtime.clock
        self._asking = asyncio.Lock()
        self._health_stats: HealthStats | None = None
        self._health_stats_at = -math.inf
        self._unreadable = False

    async def reading(self) -> Reading:
        """Return everything as it is now."""
        async with self._asking:
            if self._clock.monotonic() - self._health_stats_at >= FRESH_SECONDS:
                self._health_stats = await self._read()
                self._health_stats_at = self._clock.monotonic()
        now = self._clock.monotonic()
        late = self._metrics.loop_monitor.late(now)
        reasons = not_ready_reasons(
            self._health_stats,
            late,
            first_round_done=self._first_round.is_set(),
            store_failing=self._store_outage.cause,
        )
        return Reading(at=self._clock.utc_now(), monotonic=now, health_stats=self._health_stats, reasons=reasons)

    async def reasons(self) -> Sequence[NotReadyReason]:
        """Return every reason to call the watcher unwell."""
        return (await self.reading()).reasons

    async def readiness(self) -> Readiness:
        """Return the same as an answer."""
        return Readiness(await self.reasons())

    async def metrics(self) -> bytes:
        """Return the metrics."""
        return self._metrics.exposition(await self.reading())

    async def _read(self) -> HealthStats | None:
        try:
            health_stats = await asyncio.to_thread(read_health_stats, self._store_url, self._clock.utc_now())
        except (StoreError, OSError) as error:
            if not self._unreadable:
                log.warning("store.read_failed", problem=str(error), remedy="run aitems-watcher doctor")
            self._unreadable = True
            return None
        self._unreadable = False
        return health_stats


class HealthEndpoints:
    """The listener and the heartbeat of one configuration; a change of either needs a restart."""

    def __init__(self, config: Config, health_reporter: HealthReporter, metrics: Metrics, runtime: Runtime) -> None:
        self._health_reporter = health_reporter
        self._metrics = metrics
        self._runtime = runtime
        self.listener = self._listener(config.web)
        self._heartbeat = config.heartbeat
        self._url = self._heartbeat_url(config.heartbeat)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Show and ping as long as the block runs."""
        http = HttpClient(HttpSettings(), self._runtime.clock)
        loops = [] if self.listener is None else [self.listener.run()]
        if self._url is not None:
            ping = Pinger(http, self._url).ping
            beat = Heartbeat(ping, self._health_reporter.reasons, self._heartbeat.every, self._metrics.heartbeat)
            loops.append(beat.run())
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await http.aclose()

    def _listener(self, settings: WebSettings) -> Listener | None:
        # The token is fetched where nothing listens too, so that a faulty one is said at the start.
        token = None if settings.token is None else CurrentSecret(settings.token, self._runtime)
        if settings.address is None:
            return None
        pages = Pages(
            readiness=self._health_reporter.readiness,
            metrics=self._health_reporter.metrics,
            metrics_type=CONTENT_TYPE,
            token=token,
            # Whoever has no token to show must at least ask for this machine by its own name.
            hosts=EVERY_HOST if token is not None else (*LOOPBACK_HOSTS, settings.address.host),
        )
        return Listener(build_app(pages), settings.address.host, settings.address.port)

    def _heartbeat_url(self, settings: HeartbeatSettings) -> Callable[[], Secret] | None:
        if settings.url is None:
            return None
        if isinstance(settings.url, SecretRef):
            return CurrentSecret(settings.url, self._runtime)
        plain = Secret(settings.url)
        return lambda: plain


def count_reloads(reloader: Reloader, metrics: Metrics) -> None:
    """Let the metrics know what each reload came to, and what the accounts are allowed from then on."""
    taken_over = False

    async def begin() -> None:
        nonlocal taken_over
        taken_over = False

    async def apply_config() -> None:
        nonlocal taken_over
        taken_over = True

    async def end() -> None:
        metrics.reloaded(good=taken_over)
        _allow(metrics, reloader.config)

    reloader.before.append(begin)
    reloader.taken_over.append(apply_config)
    reloader.after.append(end)
    _allow(metrics, reloader.config)


def _allow(metrics: Metrics, config: Config) -> None:
    metrics.budgets({name: account.requests_per_second for name, account in config.accounts.items()})
