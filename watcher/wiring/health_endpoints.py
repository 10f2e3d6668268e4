"""The health of the daemon over HTTP and by heartbeat; both use one report."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import DBAPIError

from watcher.config import Config, HeartbeatSettings, SecretRef, WebSettings
from watcher.core.health.daemon_figures import DaemonFigures
from watcher.core.health.problems import DaemonHealth, DaemonState, Problem, ProblemCode
from watcher.core.health.readiness import HealthStats, NotReadyReason, not_ready_reasons
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.installed import require_loadable
from watcher.metrics import CONTENT_TYPE, Metrics, Reading
from watcher.pipeline.heartbeat import Heartbeat
from watcher.store.errors import StoreError
from watcher.store.health_stats import read_health_stats
from watcher.store.url import sqlite_path
from watcher.web.pinger import Pinger
from watcher.wiring.pipeline import Pipeline
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import CurrentSecret

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from watcher.store.ended_sessions import EndedSessions
    from watcher.web.api.sources import Sources
    from watcher.web.html.session import Sessions, SignedOut
    from watcher.web.listener import Listener
    from watcher.web.pages import Readiness

log = structlog.get_logger()

Act = Callable[[str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""Runs an operation by its command on the control socket."""
EVERY_HOST: Final = ("*",)
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1", "[::1]")
STORE_SECONDS: Final = 5.0
"""The longest wait for the store at signing out: the session has ended already."""
FRESH_SECONDS: Final = 1.0
"""The store's statistics are read at most once in this time, so that frequent requests do not load the store."""


class HealthReporter:
    """Reports the health of the daemon, from the store, the loops and the first round of polls."""

    def __init__(self, store_url: str, metrics: Metrics, pipeline: Pipeline, runtime: Runtime) -> None:
        self.store_url = store_url
        self._metrics = metrics
        self._first_round = pipeline.poller.first_round
        self._poller = pipeline.poller
        self._store_outage = pipeline.store_outage
        self._clock = runtime.clock
        self._output = runtime.output
        self._read_lock = asyncio.Lock()
        self._known: dict[bool, tuple[float, HealthStats | None]] = {}
        """The statistics and the time of their read, with the trainings in progress and without."""
        self._unreadable = False

    async def reading(self) -> Reading:
        """Return the health now; the statistics of the store may be ``FRESH_SECONDS`` old."""
        stats = await self._stats(in_progress=True)
        return Reading(
            at=self._clock.utc_now(),
            health_stats=stats,
            reasons=self._reasons(stats),
            loop_ages=self._metrics.loop_monitor.ages(self._clock.monotonic()),
            log_lines_dropped=self._output.dropped,
            in_progress=await self._poller.in_progress(),
            retrainings=await self._poller.retrainings(),
        )

    def late_loops(self) -> Mapping[str, float]:
        """Return the overdue loops, each with the seconds that it is overdue."""
        return self._metrics.loop_monitor.late(self._clock.monotonic())

    async def reasons(self) -> Sequence[NotReadyReason]:
        """Return every reason for not being ready; the trainings in progress are none, and are not read."""
        return self._reasons(await self._stats(in_progress=False))

    async def readiness(self) -> Readiness:
        """Return the readiness for ``/readyz``."""
        from watcher.web.pages import Readiness  # noqa: PLC0415 - loaded where the pages are served

        return Readiness(await self.reasons())

    async def facts(self, *, has_heartbeat: bool) -> DaemonFigures:
        """Return the facts about the daemon that are no problem."""
        stats, now = await self._stats(in_progress=False), self._clock.utc_now()
        return replace(
            self._metrics.facts(has_heartbeat=has_heartbeat),
            store_bytes=None if stats is None else stats.store_bytes,
            next_polls={
                account: now + timedelta(seconds=seconds) for account, seconds in self._poller.next_probes().items()
            },
        )

    async def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return await asyncio.to_thread(self._metrics.exposition, await self.reading())

    def _reasons(self, stats: HealthStats | None) -> Sequence[NotReadyReason]:
        return not_ready_reasons(
            stats,
            self.late_loops(),
            first_round_done=self._first_round.is_set(),
            store_failing=self._store_outage.cause,
        )

    async def _stats(self, *, in_progress: bool) -> HealthStats | None:
        # One request reads the store; others that arrive meanwhile wait for its result.
        async with self._read_lock:
            read_at, stats = self._known.get(in_progress, (-math.inf, None))
            if self._clock.monotonic() - read_at >= FRESH_SECONDS:
                stats = await self._read(in_progress=in_progress)
                known = self._clock.monotonic(), stats
                # The metrics never show an older state than the reasons: a read without the trainings replaces both.
                self._known = {False: known, True: known} if in_progress else {False: known}
        return stats

    async def _read(self, *, in_progress: bool) -> HealthStats | None:
        try:
            health_stats = await asyncio.to_thread(
                read_health_stats, self.store_url, self._clock.utc_now(), in_progress=in_progress
            )
        except (StoreError, OSError) as error:
            if not self._unreadable:
                log.warning("store.read_failed", problem=str(error), remedy="run aitems-watcher doctor")
            self._unreadable = True
            return None
        self._unreadable = False
        return health_stats


class HealthEndpoints:
    """The web listener and the heartbeat; changed settings of either take effect at a restart."""

    def __init__(  # noqa: PLR0913, PLR0917 - built once, in app.py
        self,
        config: Config,
        active: Callable[[], Config],
        health_reporter: HealthReporter,
        metrics: Metrics,
        runtime: Runtime,
        act: Act,
        ended_sessions: EndedSessions,
    ) -> None:
        self._act = act
        self._ended_sessions = ended_sessions
        self._active = active
        """The active configuration; a reload changes it."""
        self._health_reporter = health_reporter
        self._metrics = metrics
        self._runtime = runtime
        self.listener = self._listener(config.web)
        self._heartbeat_settings = config.heartbeat
        self._url = self._heartbeat_url(config.heartbeat)

    async def health(self) -> DaemonHealth:
        """Return the reasons of ``/readyz``, the other problems, and the facts about the daemon."""
        return DaemonHealth(
            state=DaemonState.RUNNING,
            reasons=tuple(await self.reasons()),
            problems=tuple(self.problems()),
            facts=await self._health_reporter.facts(has_heartbeat=self._url is not None),
        )

    async def reasons(self) -> Sequence[NotReadyReason]:
        """Return every reason for not being ready, as ``/readyz`` has it."""
        return await self._health_reporter.reasons()

    def problems(self) -> Sequence[Problem]:
        """Return the problems that are no reason for not being ready: the watcher works without its web pages."""
        problem = None if self.listener is None else self.listener.problem
        if problem is None:
            return ()
        return (Problem(code=ProblemCode.WEB_NOT_LISTENING, text=problem),)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve the web pages and send the heartbeat while the block runs."""
        http = HttpClient(HttpSettings(), self._runtime.clock)
        loops = [] if self.listener is None else [self.listener.run()]
        if self._url is not None:
            ping = Pinger(http, self._url).ping
            heartbeat = Heartbeat(
                ping, self._health_reporter.reasons, self._heartbeat_settings.every, self._metrics.heartbeat
            )
            loops.append(heartbeat.run())
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            # The heartbeat ends before its client: it may have a call in progress.
            await asyncio.gather(*tasks, return_exceptions=True)
            await http.aclose()

    def _listener(self, settings: WebSettings) -> Listener | None:
        # The token is read even without a listener, so that a missing one is an error at the start.
        token = None if settings.token is None else CurrentSecret(settings.token, self._runtime)
        if settings.address is None:
            return None
        # Imported here: without web pages, starlette and uvicorn would only make the process larger.
        from watcher.web.guesses import TokenGuesses  # noqa: PLC0415 - see above
        from watcher.web.html.session import Sessions  # noqa: PLC0415 - see above
        from watcher.web.listener import Listener  # noqa: PLC0415 - see above
        from watcher.web.pages import Pages, build_app  # noqa: PLC0415 - see above

        guesses = TokenGuesses(self._runtime.clock.monotonic)
        signed_out = self._signed_out(is_needed=token is not None)
        epoch = self._ended_sessions.epoch
        sessions = Sessions(token, guesses, settings.base_path, signed_out=signed_out, store=epoch)
        pages = Pages(
            readiness=self._health_reporter.readiness,
            metrics=self._health_reporter.metrics,
            metrics_type=CONTENT_TYPE,
            is_signed_in=lambda request: sessions.checked(request, self._runtime.clock.utc_now()).signed_in,
            others=lambda: self._other_routes(sessions, settings.base_path),
            token=token,
            guesses=guesses,
            trusted_proxies=settings.trusted_proxies,
            base_path=settings.base_path,
            # Without a token, only local names are accepted: a web page may rebind its own name to this machine.
            hosts=EVERY_HOST if token is not None else (*LOOPBACK_HOSTS, settings.address.host),
        )
        host, port = settings.address
        return Listener(build_app(pages), host, port, trusted_proxies=settings.trusted_proxies)

    def _signed_out(self, *, is_needed: bool) -> SignedOut:
        from watcher.store.ended_sessions import ended_sessions  # noqa: PLC0415 - loaded where the pages are served
        from watcher.store.views import open_views  # noqa: PLC0415 - see above
        from watcher.web.html.session import SignedOut  # noqa: PLC0415 - see above

        now = self._runtime.clock.utc_now()
        known: Mapping[str, datetime] = {}
        if is_needed:
            with open_views(self._health_reporter.store_url) as views:
                known = ended_sessions(views.connection, now)
        return SignedOut(known, self._store_ended_session)

    async def _store_ended_session(self, identity: str, expires_at: datetime, now: datetime) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._ended_sessions.add(identity, expires_at, now)
        except (DBAPIError, StoreError, TimeoutError) as error:
            remedy = "it has ended until the next start; change the token to end every session"
            log.warning("web.sign_out_not_stored", problem=str(error) or type(error).__name__, remedy=remedy)

    def _other_routes(self, sessions: Sessions, base_path: str) -> Sequence[BaseRoute]:
        # Imported at the first request for them, see ``web.pages.Later``.
        require_loadable("watcher.web.html.routes")
        from watcher.web.api.routes import api_routes  # noqa: PLC0415 - see above
        from watcher.web.html.renderer import Renderer  # noqa: PLC0415 - see above
        from watcher.web.html.routes import PageRoutes  # noqa: PLC0415 - see above
        from watcher.web.html.site import Site  # noqa: PLC0415 - see above

        sources = self._sources(base_path)
        renderer = Renderer(base_path=base_path)
        # This is a thread; the first view of each page would compile its templates in the event loop of the polls.
        renderer.compile()
        site = Site(sources=sources, sessions=sessions, renderer=renderer, act=self._act)
        # The pages are last: they answer every path that is left.
        return [*api_routes(sources), *PageRoutes(site).routes()]

    def _sources(self, base_path: str) -> Sources:
        from watcher.reading.status import StorePlace  # noqa: PLC0415 - loaded where the pages are served
        from watcher.web.api.sources import Sources  # noqa: PLC0415 - see above
        from watcher.web.store_reader import StoreReader  # noqa: PLC0415 - see above

        url = self._health_reporter.store_url
        return Sources(
            read=StoreReader(url),
            config=self._active,
            place=StorePlace(path=sqlite_path(url), url=url),
            health=self.health,
            utc_now=self._runtime.clock.utc_now,
            monotonic=self._runtime.clock.monotonic,
            base_path=base_path,
        )

    def _heartbeat_url(self, settings: HeartbeatSettings) -> Callable[[], Secret] | None:
        if settings.url is None:
            return None
        if isinstance(settings.url, SecretRef):
            return CurrentSecret(settings.url, self._runtime)
        plain = Secret(settings.url)
        return lambda: plain
