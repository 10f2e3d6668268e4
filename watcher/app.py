"""The composition root: builds the daemon, starts its parts in order and stops them in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Final

import structlog

from watcher import __version__
from watcher.config import Config
from watcher.control.protocol import Handler
from watcher.control.server import ControlServer, log_unavailable
from watcher.control.socket_path import link_path, socket_path
from watcher.core.delivery.receiver import Receiver
from watcher.core.health.problems import health_json
from watcher.core.polling.result import PollState
from watcher.metrics import Metrics
from watcher.scheduler import Scheduler
from watcher.store.actions import ActionLog
from watcher.store.deliveries import Deliveries
from watcher.store.ended_sessions import EndedSessions
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.daemon_thread import DaemonThreadExecutor
from watcher.store.sqlite.database import Database, open_database
from watcher.store.sqlite.opening import Opening
from watcher.systemd import Systemd
from watcher.wiring.accounts import Budgets, make_api
from watcher.wiring.connections import Connections, make_connections
from watcher.wiring.control_handlers import operation_handlers, record_reload
from watcher.wiring.health_endpoints import HealthEndpoints, HealthReporter
from watcher.wiring.pipeline import Pipeline, wire
from watcher.wiring.receivers import make_receiver
from watcher.wiring.reload import Reloader, ReloadOutcome, ReloadResult
from watcher.wiring.runtime import Runtime
from watcher.wiring.status_line import first_round, status_line
from watcher.wiring.supervisor import Stage, Supervisor
from watcher.wiring.systemd_notifier import SystemdNotifier
from watcher.wiring.waiting.handler import wait_handlers

__all__ = ["Daemon", "Runtime", "make_api", "make_receiver", "open_daemon"]

log = structlog.get_logger()

ONCE: Final = "once"
"""The purpose of a run that polls everything once: no later list would show what a short page hides."""
STOP_POLLS_SECONDS: Final = 5.0
"""The time for polls in progress at a stop."""
STOP_STORE_SECONDS: Final = 8.0
"""At a stop, writes wait no longer than this for another process that has locked the store."""
STOP_SECONDS: Final = 13.0
"""The time for the whole stop, well below systemd's ``TimeoutStopSec`` of 20 s.

A delivery that is still being sent then goes on at the next start, once its lease has ended.
"""


class Daemon:
    """The running stages, the control socket and the web pages; made by ``open_daemon``."""

    def __init__(  # noqa: PLR0913 - built once, in open_daemon
        self,
        database: Database,
        *,
        pipeline: Pipeline,
        reloader: Reloader,
        notifier: SystemdNotifier,
        health_endpoints: HealthEndpoints,
        runtime: Runtime,
        operations: Mapping[str, Handler],
    ) -> None:
        self.database = database
        self.pipeline = pipeline
        self.poller = pipeline.poller
        self.reloader = reloader
        self.health_endpoints = health_endpoints
        self.clock = runtime.clock
        self._notifier = notifier
        self._deliveries = Deliveries(database)
        self._outbox = Outbox(database)
        self._environ = runtime.environ
        self._operations = operations
        self._actions = ActionLog(database)
        self._handlers = self._control_handlers()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set.

        Raises:
            Exception: a stage failed; its error ends the program.
        """
        async with AsyncExitStack() as stack:
            await self._serve_control_socket(stack)
            await self._start()
            await stack.enter_async_context(self.health_endpoints.serving())
            await self._run_stages(stop)

    async def once(self) -> list[PollState]:
        """Poll everything once, deliver everything that is due, and return the polls that failed."""
        await self._start()
        await self.poller.sweep()
        await self.pipeline.router.drain()
        # The program ends before an incomplete catch-up would be released.
        await self._outbox.release(None, self.clock.utc_now())
        await self._deliver_due()
        # The deliveries may have shown that a receiver is failing; another receiver is notified now.
        if await self.pipeline.router.drain():
            await self._deliver_due()
        await self.pipeline.maintenance.back_up()
        return self.poller.failing()

    async def _deliver_due(self) -> None:
        workers = self.pipeline.delivery_workers.by_receiver.values()
        await asyncio.gather(*(worker.sweep() for worker in workers))
        for worker in workers:
            await worker.finish()

    async def _start(self) -> None:
        _log_opening(self.database.opening)
        # Before any worker leases: deliveries of a process that died would wait for their leases otherwise.
        owned = self.pipeline.delivery_workers.by_receiver.keys()
        reclaimed = await self._deliveries.reclaim(owned, self.clock.utc_now())
        await self.poller.start()
        log.info(
            "watcher.started",
            version=__version__,
            store=str(self.database.path),
            store_created=self.database.created,
            receivers=sorted(self.pipeline.delivery_workers.by_receiver),
            reclaimed_deliveries=reclaimed,
        )

    async def _serve_control_socket(self, stack: AsyncExitStack) -> None:
        """Serve the control socket; the watcher works without it where the socket cannot be made."""
        path = socket_path(self.database.path, self._environ)
        server = ControlServer(path, self._handlers, link=link_path(self.database.path))
        stack.push_async_callback(server.close)
        try:
            await server.ensure()
        except OSError as error:
            log_unavailable(path, error)
        keeper = asyncio.create_task(server.keep())
        stack.callback(keeper.cancel)

    async def _run_stages(self, stop: asyncio.Event) -> None:
        supervisor, pipeline = Supervisor(), self.pipeline
        polling = [
            supervisor.start(Scheduler(self.poller, self.clock, pipeline.maintenance.clock_stepped).run()),
            supervisor.start(self.poller.flusher.run()),
            supervisor.start(pipeline.maintenance.run()),
            supervisor.start(pipeline.store_outage.run()),
        ]
        if not self.database.opening.checked:
            supervisor.start(self._check_store())
        supervisor.start(pipeline.router.run())
        supervisor.start(self._notifier.run())
        pipeline.delivery_workers.start(supervisor)
        # Last: a reload that waits for the start replaces stages, so they must all run.
        self.reloader.start(supervisor)
        try:
            await supervisor.until(stop)
            await self._stop(supervisor, polling)
        finally:
            self.reloader.stop()
            await supervisor.cancel()

    async def _check_store(self) -> None:
        """Read all of a large store beside the work: a start would wait many seconds for it.

        Raises:
            StoreDamaged: it is damaged; the program ends, and the next start restores it.
        """
        # A stop does not wait for the rest.
        await asyncio.get_running_loop().run_in_executor(DaemonThreadExecutor(), self.database.check)
        log.info("store.checked", store=str(self.database.path))
        # A stage that ends is a fault.
        await asyncio.Event().wait()

    async def _stop(self, supervisor: Supervisor, polling: Sequence[Stage]) -> None:
        """Stop the stages from the source on: each may still pass its last results to the next one."""
        log.info("watcher.stopping")
        end = self.clock.monotonic() + STOP_SECONDS
        self._notifier.stopping()
        # Before the last writes: each of them could wait 30 s for a locked store.
        self.database.last_call(STOP_STORE_SECONDS)
        # Before the workers stop: a reload would start new ones.
        self.reloader.stop()
        # The scheduler ends before the poller, so that no poll starts while the poller waits for the others.
        await supervisor.cancel(polling)
        await self.poller.stop(STOP_POLLS_SECONDS)
        # The router and the workers have run until here, to deliver the results of the last polls.
        if ending := self.pipeline.delivery_workers.stop(supervisor):
            await asyncio.wait(ending, timeout=max(end - self.clock.monotonic(), 0.0))
        # The router's task ends before the last routing: two runs at a time would route the same events.
        await supervisor.cancel()
        await self._route_remaining()
        log.info("watcher.stopped")

    async def _route_remaining(self) -> None:
        """Route the last events, so that the next start can deliver them at once."""
        try:
            await self.pipeline.router.drain()
        except Exception:
            log.exception("routing.postponed")

    def _control_handlers(self) -> dict[str, Handler]:
        """Return the handlers of the control socket, by command."""
        return {
            "ping": self._ping,
            "health": self._health,
            "reload": self._reload,
            **self._operations,
            **wait_handlers(self.poller, PollStore(self.database), self.clock),
        }

    async def _ping(self, _arguments: Mapping[str, object]) -> Mapping[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "config": str(self.reloader.config.path),
            "store": str(self.database.path),
            "uid": os.geteuid(),
            "gid": os.getegid(),
            "commands": sorted(self._handlers),
        }

    async def _health(self, _arguments: Mapping[str, object]) -> Mapping[str, object]:
        return health_json(await self.health_endpoints.health())

    async def _reload(self, arguments: Mapping[str, object]) -> Mapping[str, object]:
        result = await self.reloader.reload()
        if result.outcome is ReloadOutcome.RELOADED:
            await record_reload(self._actions, arguments, result.config.path, self.clock.utc_now())
        return result.as_json()


def _log_opening(opening: Opening) -> None:
    """Log a recovery or a migration of the store."""
    if opening.recovery is not None:
        remedy = "later changes are announced again, marked as restored; examine the damaged file, then remove it"
        log.error("store.restored", **asdict(opening.recovery), remedy=remedy)
    if opening.migrated_from is not None:
        log.info("store.migrated", found=opening.migrated_from, backup=str(opening.backup))


@asynccontextmanager
async def open_daemon(
    config: Config,
    runtime: Runtime,
    *,
    purpose: str,
    extra_receivers: Mapping[str, Receiver] | None = None,
) -> AsyncIterator[Daemon]:
    """Open the store and build the daemon; close everything in reverse order.

    Args:
        config: the configuration.
        runtime: environment, clock and streams.
        purpose: the reason for opening, e.g. ``run``; shown to a second daemon that finds the store in use.
        extra_receivers: receivers by name that no configuration describes, such as the demo's console.

    Raises:
        SecretsError: secrets cannot be read.
        InvalidReceiverError: a receiver's secret or address cannot be used.
        HttpSetupError: a proxy or a certificate cannot be used.
        StoreError: the store cannot be opened, or another process holds it.
    """
    metrics = Metrics(runtime.clock)
    budgets = Budgets(metrics.granted)

    async def connect(config: Config) -> Connections:
        return await make_connections(config, runtime, extra_receivers or {}, budgets, metrics, patient=purpose == ONCE)

    async with AsyncExitStack() as stack:
        # Secrets and receivers come before the store: a faulty configuration must not create or migrate a store.
        connections = await connect(config)
        stack.push_async_callback(connections.aclose)
        database = open_database(config.store_path(runtime.environ), purpose=purpose, now=runtime.clock.utc_now())
        stack.callback(database.close)
        daemon = _daemon(config, connections, connect, database, runtime, metrics, budgets)
        # On the stack after the store, so closed before it: a reload in progress may still write to the store.
        stack.push_async_callback(daemon.reloader.close)
        with database.used():
            yield daemon


def _daemon(  # noqa: PLR0913, PLR0917 - the parts of a daemon, joined once
    config: Config,
    connections: Connections,
    connect: Callable[[Config], Awaitable[Connections]],
    database: Database,
    runtime: Runtime,
    metrics: Metrics,
    budgets: Budgets,
) -> Daemon:
    pipeline = wire(connections, database, runtime.clock, metrics)
    health_reporter = HealthReporter(database.url, metrics, pipeline, runtime)
    notifier = _systemd_notifier(database, pipeline, health_reporter, runtime)
    _set_budgets(metrics, config)
    reloader = Reloader(connections, pipeline, connect, notifier, partial(_count_reload, metrics))
    workers = pipeline.delivery_workers
    operations = operation_handlers(database, workers, runtime, budgets, lambda: reloader.config)

    async def act(command: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
        return await operations[command](arguments)

    return Daemon(
        database,
        pipeline=pipeline,
        reloader=reloader,
        notifier=notifier,
        health_endpoints=HealthEndpoints(
            config, lambda: reloader.config, health_reporter, metrics, runtime, act, EndedSessions(database)
        ),
        runtime=runtime,
        operations=operations,
    )


def _systemd_notifier(
    database: Database, pipeline: Pipeline, health_reporter: HealthReporter, runtime: Runtime
) -> SystemdNotifier:
    return SystemdNotifier(
        Systemd(runtime.environ),
        pipeline.poller.first_round,
        late_loops=health_reporter.late_loops,
        status_line=partial(status_line, pipeline.poller, database.url, health_reporter.reasons),
        findings=partial(first_round, pipeline.poller),
    )


def _count_reload(metrics: Metrics, result: ReloadResult) -> None:
    """Record the outcome of a reload and the request budgets that apply after it."""
    metrics.reloaded(good=result.outcome is ReloadOutcome.RELOADED)
    _set_budgets(metrics, result.config)


def _set_budgets(metrics: Metrics, config: Config) -> None:
    metrics.budgets({name: account.requests_per_second for name, account in config.accounts.items()})
