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
from watcher.core.polling.result import LookState
from watcher.metrics import Metrics
from watcher.pipeline.ports import Receiver
from watcher.scheduler import Engine
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.sqlite.database import Database, Opening, open_database
from watcher.systemd import Systemd
from watcher.wiring.accounts import Budgets, make_api
from watcher.wiring.connections import Parts, make_parts
from watcher.wiring.deliveries import delivery_handlers
from watcher.wiring.health_endpoints import Examiner, Face, count_reloads
from watcher.wiring.pipeline import Stages, wire
from watcher.wiring.receivers import make_receiver
from watcher.wiring.reload import Reloader
from watcher.wiring.runtime import Surroundings
from watcher.wiring.silences import silence_handlers
from watcher.wiring.status_line import how_it_goes
from watcher.wiring.supervisor import Crew, Stage
from watcher.wiring.systemd_notifier import Herald

__all__ = ["Daemon", "Surroundings", "make_api", "make_receiver", "open_daemon"]

log = structlog.get_logger()

STOP_LOOKS_SECONDS: Final = 5.0
STOP_STORE_SECONDS: Final = 8.0
"""So long what is to be written waits for another process that holds the store."""
STOP_SECONDS: Final = 13.0
"""In all, well below systemd's ``TimeoutStopSec`` of 20 s; what is left over waits for its lease."""


class Daemon:
    """The stages at work, beside what serves them; made by ``open_daemon``."""

    def __init__(
        self, database: Database, stages: Stages, reloader: Reloader, metrics: Metrics, surroundings: Surroundings
    ) -> None:
        self.database = database
        examiner = Examiner(database.path, metrics, stages, surroundings)
        self.face = Face(reloader.config, examiner, metrics, surroundings)
        self.poller = stages.poller
        self.reloader = reloader
        self.handlers: dict[str, Handler] = {}
        """What the control socket answers to, by command."""
        self._stages = stages
        self._deliveries = Deliveries(database)
        self._outbox = Outbox(database)
        self._environ = surroundings.environ
        self.clock = surroundings.clock
        self._herald = Herald(
            Systemd(surroundings.environ),
            stages.poller.first_round,
            late=lambda: metrics.pulse.late(surroundings.clock.monotonic()),
            words=partial(how_it_goes, stages.poller, database.path),
        )
        reloader.before.append(self._herald.reload_begins)
        reloader.after.append(self._herald.reload_ended)

    def receivers(self) -> Collection[str]:
        """Return the names of the receivers that something is sent to now."""
        return self._stages.carriers.by_receiver.keys()

    def wake_courier(self, receiver: str) -> None:
        """Let what was made due for a receiver go at once."""
        if (courier := self._stages.carriers.by_receiver.get(receiver)) is not None:
            courier.wake.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set; a stage that ends by itself is a fault and ends the program."""
        async with AsyncExitStack() as beside:
            await self._listen(beside)
            await self._start()
            await beside.enter_async_context(self.face.at_work())
            await self._turn(stop)

    async def once(self) -> list[LookState]:
        """Look at everything once, tell what is due, and return the looks that failed."""
        await self._start()
        await self.poller.sweep()
        await self._stages.router.drain()
        # Nobody comes back in two minutes to see whether a catch-up has become whole.
        await self._outbox.release(None, self.clock.utc_now())
        await self._tell()
        # What that brought to light about receivers is told through others at once.
        if await self._stages.router.drain():
            await self._tell()
        await self._stages.upkeep.back_up()
        return self.poller.failing()

    async def _tell(self) -> None:
        couriers = self._stages.carriers.by_receiver.values()
        await asyncio.gather(*(courier.sweep() for courier in couriers))
        for courier in couriers:
            await courier.give_up()

    async def _start(self) -> None:
        _log_opening(self.database.opening)
        reclaimed = await self._deliveries.reclaim(self.clock.utc_now())
        await self.poller.start()
        log.info(
            "watcher.started",
            version=__version__,
            store=str(self.database.path),
            store_made_anew=self.database.created,
            receivers=sorted(self._stages.carriers.by_receiver),
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
        crew, stages = Crew(), self._stages
        looking = [
            crew.start(Engine(self.poller.ring, self.clock, stages.upkeep.clock_stepped).run()),
            crew.start(self.poller.flusher.for_ever()),
            crew.start(stages.upkeep.run()),
            crew.start(stages.storekeeper.run()),
        ]
        crew.start(stages.router.run())
        crew.start(self._herald.run())
        stages.carriers.start(crew)
        self.reloader.start(crew)
        try:
            await crew.until(stop)
            await self._stop(crew, looking)
        finally:
            self.reloader.stop()
            await crew.cancel()

    async def _stop(self, crew: Crew, looking: Sequence[Stage]) -> None:
        log.info("watcher.stopping")
        end = self.clock.monotonic() + STOP_SECONDS
        self._herald.stopping()
        self.database.last_call(STOP_STORE_SECONDS)
        self.reloader.stop()
        await crew.cancel(looking)
        await self.poller.stop(STOP_LOOKS_SECONDS)
        if ending := self._stages.carriers.dismiss(crew):
            await asyncio.wait(ending, timeout=max(end - self.clock.monotonic(), 0.0))
        await crew.cancel()
        await self._route_the_last()
        log.info("watcher.stopped")

    async def _route_the_last(self) -> None:
        """Route what was seen last, so that the next start has only to deliver it; it can do this, too."""
        try:
            await self._stages.router.drain()
        except Exception:
            log.exception("route.left_to_next_start")


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
    surroundings: Surroundings,
    *,
    purpose: str,
    extra_receivers: Mapping[str, Receiver] | None = None,
) -> AsyncIterator[Daemon]:
    """Open the store and wire the stages; close everything in reverse order.

    Args:
        config: what to watch and whom to tell.
        surroundings: environment, clock and streams.
        purpose: what a second daemon is told about this one, e.g. ``run``.
        extra_receivers: receivers that no configuration describes, by name; the demo's console.

    Raises:
        SecretError: a secret cannot be had.
        InvalidReceiverError: a receiver's secret or address cannot be used.
        StoreError: the store cannot be opened, or another process holds it.
    """
    metrics = Metrics(surroundings.clock)
    budgets = Budgets(metrics.granted)

    async def make(config: Config) -> Parts:
        return await make_parts(config, surroundings, extra_receivers or {}, budgets, metrics)

    async with AsyncExitStack() as stack:
        parts = await make(config)
        stack.push_async_callback(parts.connections.aclose)
        path = config.state.sqlite_path(surroundings.environ)
        database = open_database(path, purpose=purpose, now=surroundings.clock.utc_now())
        stack.callback(database.close)
        stages = wire(parts, database, surroundings.clock, metrics)
        reloader = Reloader(parts, stages, make)
        stack.push_async_callback(reloader.close)
        count_reloads(reloader, metrics)
        daemon = Daemon(database, stages, reloader, metrics, surroundings)
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
        **delivery_handlers(daemon.database, daemon.receivers, daemon.clock, daemon.wake_courier),
        **silence_handlers(daemon.database, daemon.clock),
    }
