"""The composition root: the only module that knows everyone. It builds, starts in order, and stops in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Final, Literal

import structlog

from watcher import __version__
from watcher.config import Config
from watcher.control.place import link_path, socket_path
from watcher.control.protocol import Handler
from watcher.control.server import ControlServer
from watcher.core.look import LookState
from watcher.engine import Engine
from watcher.flow.ports import Receiver
from watcher.store.database import Database, Opening, open_database
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.wiring.accounts import make_api
from watcher.wiring.receivers import make_receiver
from watcher.wiring.stages import Stages, wire
from watcher.wiring.surroundings import Surroundings

__all__ = ["Daemon", "Surroundings", "make_api", "make_receiver", "open_daemon"]

log = structlog.get_logger()

STOP_LOOKS_SECONDS: Final = 5.0
STOP_DELIVERIES_SECONDS: Final = 8.0
"""Together well below systemd's ``TimeoutStopSec`` of 20 s; what is left over waits for its lease."""


class Daemon:
    """The stages, wired; made by ``open_daemon``."""

    def __init__(self, database: Database, stages: Stages, surroundings: Surroundings) -> None:
        self.database = database
        self.handlers: dict[str, Handler] = {}
        """What the control socket answers to, by command."""
        self._environ = surroundings.environ
        self.poller = stages.poller
        self._router = stages.router
        self._couriers = stages.couriers
        self._upkeep = stages.upkeep
        self._deliveries = Deliveries(database)
        self._outbox = Outbox(database)
        self._clock = surroundings.clock

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set; a stage that ends by itself is a fault and ends the program."""
        await self._start()
        async with AsyncExitStack() as beside:
            await self._listen(beside)
            await self._turn(stop)

    async def _listen(self, beside: AsyncExitStack) -> None:
        """Serve the control socket; without it the watching goes on all the same."""
        path = socket_path(self.database.path, self._environ)
        try:
            await beside.enter_async_context(ControlServer(path, self.handlers, link=link_path(self.database.path)))
        except OSError as error:
            log.warning("control.unavailable", socket=str(path), problem=str(error), remedy="free the path and restart")

    async def _turn(self, stop: asyncio.Event) -> None:
        looking = [
            Engine(self.poller.ring, self._clock, self._upkeep.clock_stepped).run(),
            self.poller.flush_for_ever(),
            self._upkeep.run(),
        ]
        telling = [self._router.run(), *(courier.run() for courier in self._couriers.values())]
        tasks = [asyncio.create_task(stage) for stage in [*looking, *telling]]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            _raise_fault(tasks)
            await self._stop(tasks[: len(looking)], tasks[len(looking) :])
        finally:
            await _cancel([stopping, *tasks])

    async def once(self) -> list[LookState]:
        """Look at everything once, tell what is due, and return the looks that failed."""
        await self._start()
        await self.poller.sweep()
        await self._router.drain()
        # Nobody comes back in two minutes to see whether a catch-up has become whole.
        await self._outbox.release(None, self._clock.utc_now())
        await asyncio.gather(*(courier.sweep() for courier in self._couriers.values()))
        await self._upkeep.back_up()
        return self.poller.failing()

    async def _start(self) -> None:
        _log_opening(self.database.opening)
        reclaimed = await self._deliveries.reclaim(self._clock.utc_now())
        await self.poller.start()
        log.info(
            "watcher.started",
            version=__version__,
            store=str(self.database.path),
            store_made_anew=self.database.created,
            receivers=sorted(self._couriers),
            half_sent=reclaimed,
        )

    async def _stop(self, looking: list[asyncio.Task[None]], telling: list[asyncio.Task[None]]) -> None:
        log.info("watcher.stopping")
        await _cancel(looking)
        await self.poller.stop(STOP_LOOKS_SECONDS)
        for courier in self._couriers.values():
            courier.stop()
        await asyncio.wait(telling[1:], timeout=STOP_DELIVERIES_SECONDS)
        await _cancel(telling)
        # What was seen last is routed now, so that the next start has only to deliver it.
        await self._router.drain()
        log.info("watcher.stopped")


def _log_opening(opening: Opening) -> None:
    """Say what opening the store found and did; an older store than it was is never gone on with in silence."""
    if opening.recovery is not None:
        remedy = "what came after is told again, marked as restored; look at the damaged file, then remove it"
        log.error("store.restored", **asdict(opening.recovery), remedy=remedy)
    if opening.migrated_from is not None:
        log.info("store.migrated", found=opening.migrated_from, backup=str(opening.backup))


def _raise_fault(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()
            raise RuntimeError(f"a stage ended by itself: {task.get_coro()}")


async def _cancel(tasks: Sequence[asyncio.Task[None] | asyncio.Task[Literal[True]]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    async with AsyncExitStack() as stack:
        receivers: dict[str, Receiver] = {}
        for name, settings in config.receivers.items():
            receivers[name] = make_receiver(name, settings, surroundings, stack)
        receivers |= extra_receivers or {}
        apis = {name: make_api(name, settings, surroundings, stack) for name, settings in config.accounts.items()}
        path = config.state.sqlite_path(surroundings.environ)
        database = open_database(path, purpose=purpose, now=surroundings.clock.utc_now())
        stack.callback(database.close)
        daemon = Daemon(database, wire(config, database, apis, receivers, surroundings.clock), surroundings)
        daemon.handlers |= _handlers(config, daemon)
        yield daemon


def _handlers(config: Config, daemon: Daemon) -> dict[str, Handler]:
    """Return what the control socket answers to; each room adds its own here."""

    async def ping(_arguments: Mapping[str, object]) -> Mapping[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "config": str(config.path),
            "store": str(daemon.database.path),
        }

    return {"ping": ping}
