"""The composition root: the only module that knows everyone. It builds, starts in order, and stops in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TextIO

import structlog

from watcher import __version__
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.clock import Clock
from watcher.config import (
    AccountSettings,
    Config,
    LogSettings,
    ReceiverSettings,
    SecretError,
    SecretRef,
    SlackWebhookSettings,
    WebhookSettings,
)
from watcher.config.plan import looks_of, policy_of, routes_of, thresholds_of
from watcher.core.delivery import PARKED_RETRY
from watcher.core.look import LookState
from watcher.core.routing import DIGEST_PATIENCE, Routes
from watcher.core.secret import Secret
from watcher.engine import Engine
from watcher.flow.deliver import Courier, couriers
from watcher.flow.doubt import ClockDoubt
from watcher.flow.poll import Poller
from watcher.flow.ports import Api, Receiver
from watcher.flow.route import Router
from watcher.flow.upkeep import Limits, Upkeep
from watcher.http import HttpClient, HttpSettings
from watcher.receivers import KINDS, Spec
from watcher.store.database import Database, open_database
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
from watcher.store.retention import Retention
from watcher.telemetry import Redactor

log = structlog.get_logger()

STOP_LOOKS_SECONDS: Final = 5.0
STOP_DELIVERIES_SECONDS: Final = 8.0
"""Together well below systemd's ``TimeoutStopSec`` of 20 s; what is left over waits for its lease."""
RECEIVER_TIMEOUT_SECONDS: Final = 20.0
"""A deadline for one whole attempt; Standard Webhooks advises 15 to 30 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the program finds around it; tests and the demo bring their own."""

    environ: Mapping[str, str]
    redactor: Redactor
    clock: Clock
    output: TextIO
    """Where the ``log`` receivers write."""

    def secret(self, ref: SecretRef) -> Secret:
        """Fetch a secret as it is now; from here on no log line can show it."""
        return self.redactor.learn(ref.resolve(self.environ))


class AccountKeys:
    """An account's keys, read anew for each request, so that a file that was rotated is picked up."""

    def __init__(self, settings: AccountSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._pair = self._read()

    def current(self) -> KeyPair:
        """Return the keys as they are now; while a file is being replaced, as they were."""
        try:
            self._pair = self._read()
        except SecretError as error:
            log.warning("secret.unreadable", problem=str(error))
        return self._pair

    def _read(self) -> KeyPair:
        secret = self._surroundings.secret
        return KeyPair(secret(self._settings.access_key), secret(self._settings.secret_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The river and what is done beside it."""

    poller: Poller
    router: Router
    couriers: Mapping[str, Courier]
    upkeep: Upkeep


class Daemon:
    """The stages, wired; made by ``open_daemon``."""

    def __init__(self, database: Database, stages: Stages, clock: Clock) -> None:
        self.database = database
        self.poller = stages.poller
        self._router = stages.router
        self._couriers = stages.couriers
        self._upkeep = stages.upkeep
        self._deliveries = Deliveries(database)
        self._outbox = Outbox(database)
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set; a stage that ends by itself is a fault and ends the program."""
        await self._start()
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
        return self.poller.failing()

    async def _start(self) -> None:
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
        yield _wire(config, database, apis, receivers, surroundings.clock)


def _wire(
    config: Config,
    database: Database,
    apis: Mapping[str, Api],
    receivers: Mapping[str, Receiver],
    clock: Clock,
) -> Daemon:
    doubt = ClockDoubt()
    carriers = couriers(receivers, Deliveries(database), policy_of(config), clock, doubt)

    def wake_couriers() -> None:
        for courier in carriers.values():
            courier.wake.ring()

    routes = Routes(routes=routes_of(config), flap_limit=config.delivery.flap_limit)
    router = Router(Outbox(database), routes, receivers, clock, wake_couriers)
    poller = Poller(
        looks_of(config),
        apis,
        Polls(database),
        clock,
        thresholds=thresholds_of(config),
        doubt=doubt,
        on_events=router.wake.ring,
        on_caught_up=router.let_go,
    )
    limits = Limits(
        keep_history=config.state.keep_history,
        longest_wait=max(config.delivery.max_retry, PARKED_RETRY, DIGEST_PATIENCE),
        give_up_after=config.delivery.give_up_after,
        receivers=frozenset(receivers),
    )
    upkeep = Upkeep(Retention(database), Deliveries(database), limits, clock, doubt)
    stages = Stages(poller=poller, router=router, couriers=carriers, upkeep=upkeep)
    return Daemon(database, stages, clock)


def make_api(name: str, settings: AccountSettings, surroundings: Surroundings, stack: AsyncExitStack) -> AitemsClient:
    """Make the client of one account; its connections are closed with ``stack``."""
    http = HttpClient(
        HttpSettings(
            timeout_seconds=settings.timeout.total_seconds(),
            max_connections=settings.max_concurrency,
            proxy=settings.proxy,
            ca_file=settings.ca_file,
            client_cert=settings.client_cert,
        ),
        surroundings.clock,
    )
    stack.push_async_callback(http.aclose)
    budget = Budget(
        per_second=settings.requests_per_second, max_concurrency=settings.max_concurrency, clock=surroundings.clock
    )
    account = AccountSpec(name=name, base_url=settings.base_url, keys=AccountKeys(settings, surroundings))
    return AitemsClient(http, account, surroundings.clock, budget)


def make_receiver(name: str, settings: ReceiverSettings, surroundings: Surroundings, stack: AsyncExitStack) -> Receiver:
    """Make one receiver from its settings; its connections are closed with ``stack``."""
    http = HttpClient(_receiver_http(settings), surroundings.clock)
    stack.push_async_callback(http.aclose)
    spec = Spec(
        name=name,
        http=http,
        clock=surroundings.clock,
        stream=surroundings.output,
        url=_url(settings, surroundings),
        secret=_secret_source(settings, surroundings),
        headers=_headers(settings, surroundings),
    )
    return KINDS[settings.kind](spec)


def _receiver_http(settings: ReceiverSettings) -> HttpSettings:
    if isinstance(settings, LogSettings):
        return HttpSettings()
    return HttpSettings(
        timeout_seconds=RECEIVER_TIMEOUT_SECONDS,
        proxy=settings.proxy,
        ca_file=settings.ca_file,
        client_cert=settings.client_cert,
    )


def _url(settings: ReceiverSettings, surroundings: Surroundings) -> Secret | None:
    match settings:
        case WebhookSettings(url=SecretRef() as ref) | SlackWebhookSettings(url=ref):
            return surroundings.secret(ref)
        case WebhookSettings(url=str() as plain):
            return Secret(plain)
        case _:
            return None


def _secret_source(settings: ReceiverSettings, surroundings: Surroundings) -> Callable[[], Secret] | None:
    if not isinstance(settings, WebhookSettings) or settings.secret is None:
        return None
    ref = settings.secret
    # Asked at each attempt: a file that changes is read anew.
    return lambda: surroundings.secret(ref)


def _headers(settings: ReceiverSettings, surroundings: Surroundings) -> Mapping[str, Secret]:
    if not isinstance(settings, WebhookSettings):
        return {}
    return {
        name: surroundings.secret(value) if isinstance(value, SecretRef) else Secret(value)
        for name, value in settings.headers.items()
    }
