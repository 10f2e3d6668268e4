"""The composition root: the only module that knows everyone. It builds, starts in order, and stops in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Final

import structlog

from watcher import __version__
from watcher.config import Config
from watcher.control.protocol import Handler
from watcher.control.server import ControlServer
from watcher.control.socket_path import link_path, socket_path
from watcher.core.polling.result import PollState
from watcher.metrics import Metrics
from watcher.pipeline.ports import Receiver
from watcher.scheduler import Scheduler
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.sqlite.database import Database, Opening, open_database
from watcher.systemd import Systemd
from watcher.wiring.accounts import Budgets, make_api
from watcher.wiring.connections import Connections, make_connections
from watcher.wiring.control_handlers import delivery_handlers, silence_handlers
from watcher.wiring.health_endpoints import HealthEndpoints, HealthReporter, count_reloads
from watcher.wiring.pipeline import Pipeline, wire
from watcher.wiring.receivers import make_receiver
from watcher.wiring.reload import Reloader
from watcher.wiring.runtime import Runtime
from watcher.wiring.status_line import status_line
from watcher.wiring.supervisor import Stage, Supervisor
from watcher.wiring.systemd_notifier import SystemdNotifier

__all__ = ["Daemon", "Runtime", "make_api", "make_receiver", "open_daemon"]

log = structlog.get_logger()

STOP_POLLS_SECONDS: Final = 5.0
STOP_STORE_SECONDS: Final = 8.0
"""So long what is to be written waits for another process that holds the store."""
STOP_SECONDS: Final = 13.0
"""In all, well below systemd's ``TimeoutStopSec`` of 20 s; what is left over waits for its lease."""


class Daemon:
    """The stages at work, beside what serves them; made by ``open_daemon``."""

    def __init__(
        self, database: Database, pipeline: Pipeline, reloader: Reloader, metrics: Metrics, runtime: Runtime
    ) -> None:
        self.database = database
        health_reporter = HealthReporter(database.path, metrics, pipeline, runtime)
        self.health_endpoints = HealthEndpoints(reloader.config, health_reporter, metrics, runtime)
        self.poller = pipeline.poller
        self.reloader = reloader
        self.handlers: dict[str, Handler] = {}
        """What the control socket answers to, by command."""
        self._stages = pipeline
        self._deliveries = Deliveries(database)
        self._outbox = Outbox(database)
        self._environ = runtime.environ
        self.clock = runtime.clock
        self._herald = SystemdNotifier(
            Systemd(runtime.environ),
            pipeline.poller.first_round,
            late=lambda: metrics.loop_monitor.late(runtime.clock.monotonic()),
            words=partial(status_line, pipeline.poller, database.path),
        )
        reloader.before.append(self._herald.reload_begins)
        reloader.after.append(self._herald.reload_ended)

    def receivers(self) -> Collection[str]:
        """Return the names of the receivers that something is sent to now."""
        return self._stages.delivery_workers.by_receiver.keys()

    def wake_worker(self, receiver: str) -> None:
        """Let what was made due for a receiver go at once."""
        if (worker := self._stages.delivery_workers.by_receiver.get(receiver)) is not None:
            worker.wake.tick()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set; a stage that ends by itself is a fault and ends the program."""
        async with AsyncExitStack() as beside:
            await self._listen(beside)
            await self._start()
            await beside.enter_async_context(self.health_endpoints.at_work())
            await self._turn(stop)

    async def once(self) -> list[PollState]:
        """Look at everything once, tell what is due, and return the looks that failed."""
        await self._start()
        await self.poller.sweep()
        await self._stages.router.drain()
        # Nobody comes back in two minutes to see whether a catch-up has become whole.
        await self._outbox.release(None, self.clock.utc_now())
        await self._report_opening()
        # What that brought to light about receivers is told through others at once.
        if await self._stages.router.drain():
            await self._report_opening()
        await self._stages.maintenance.back_up()
        return self.poller.failing()

    async def _report_opening(self) -> None:
        workers = self._stages.delivery_workers.by_receiver.values()
        await asyncio.gather(*(worker.sweep() for worker in workers))
        for worker in workers:
            await worker.give_up()

    async def _start(self) -> None:
        _log_opening(self.database.opening)
        reclaimed = await self._deliveries.reclaim(self.clock.utc_now())
        await self.poller.start()
        log.info(
            "watcher.started",
            version=__version__,
            store=str(self.database.path),
            store_made_anew=self.database.created,
            receivers=sorted(self._stages.delivery_workers.by_receiver),
            half_sent=reclaimed,
        )

    async def _listen(self, beside: AsyncExitStack) -> None:
        """Serve the control socket; without it the watching goes on all the same."""
        path = socket_path(self.database.path, self._environ)
        try:
            await beside.enter_async_context(ControlServer(path, self.handlers, link=link_path(self.database.path)))
        except OSError as error:
            log.warning("control.unavailable", socket=str(path), problem=str(error), remedy="free the path and restart")

    async def _turn(self, stop: asyncio.Event) -> None:
        supervisor, pipeline = Supervisor(), self._stages
        polling = [
            supervisor.start(Scheduler(self.poller.tick, self.clock, pipeline.maintenance.clock_stepped).run()),
            supervisor.start(self.poller.flusher.for_ever()),
            supervisor.start(pipeline.maintenance.run()),
            supervisor.start(pipeline.store_outage.run()),
        ]
        supervisor.start(pipeline.router.run())
        supervisor.start(self._herald.run())
        pipeline.delivery_workers.start(supervisor)
        self.reloader.start(supervisor)
        try:
            await supervisor.until(stop)
            await self._stop(supervisor, polling)
        finally:
            self.reloader.stop()
            await supervisor.cancel()

    async def _stop(self, supervisor: Supervisor, polling: Sequence[Stage]) -> None:
        log.info("watcher.stopping")
        end = self.clock.monotonic() + STOP_SECONDS
        self._herald.stopping()
        self.database.last_call(STOP_STORE_SECONDS)
        self.reloader.stop()
        await supervisor.cancel(polling)
        await self.poller.stop(STOP_POLLS_SECONDS)
        if ending := self._stages.delivery_workers.dismiss(supervisor):
            await asyncio.wait(ending, timeout=max(end - self.clock.monotonic(), 0.0))
        await supervisor.cancel()
        await self._route_the_last()
        log.info("watcher.stopped")

    async def _route_the_last(self) -> None:
        """Route what was seen last, so that the next start has only to deliver it; it can do this, too."""
        try:
            await self._stages.router.drain()
        except Exception:
            log.exception("routing.postponed")


def _log_opening(opening: Opening) -> None:
    """Say what opening the store found and did; an older store than it was is never gone on with in silence."""
    if opening.recovery is not None:
        remedy = "what came after is told again, marked as restored; look at the damaged file, then remove it"
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
    """Open the store and wire the stages; close everything in reverse order.

    Args:
        config: what to watch and whom to tell.
        runtime: environment, clock and streams.
        purpose: what a second daemon is told about this one, e.g. ``run``.
        extra_receivers: receivers that no configuration describes, by name; the demo's console.

    Raises:
        SecretError: a secret cannot be had.
        InvalidReceiverError: a receiver's secret or address cannot be used.
        StoreError: the store cannot be opened, or another process holds it.
    """
    metrics = Metrics(runtime.clock)
    budgets = Budgets(metrics.granted)

    async def make(config: Config) -> Connections:
        return await make_connections(config, runtime, extra_receivers or {}, budgets, metrics)

    async with AsyncExitStack() as stack:
        connections = await make(config)
        stack.push_async_callback(connections.connections.aclose)
        path = config.state.sqlite_path(runtime.environ)
        database = open_database(path, purpose=purpose, now=runtime.clock.utc_now())
        stack.callback(database.close)
        pipeline = wire(connections, database, runtime.clock, metrics)
        reloader = Reloader(connections, pipeline, make)
        stack.push_async_callback(reloader.close)
        count_reloads(reloader, metrics)
        daemon = Daemon(database, pipeline, reloader, metrics, runtime)
        daemon.handlers |= _handlers(daemon)
        yield daemon


def _handlers(daemon: Daemon) -> dict[str, Handler]:
    """Return what the control socket answers to; each room adds its own here."""

    async def ping(_arguments: Mapping[str, object]) -> Mapping[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "config": str(daemon.reloader.config.path),
            "store": str(daemon.database.path),
        }

    return {
        "ping": ping,
        "reload": daemon.reloader.serve,
        **delivery_handlers(daemon.database, daemon.receivers, daemon.clock, daemon.wake_worker),
        **silence_handlers(daemon.database, daemon.clock),
    }
