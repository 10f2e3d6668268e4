"""The real stages and the real store on virtual time: hours pass in moments, and nothing else is pretended.

The loop's clock jumps to the next timer whenever there is nothing to do. Work in threads (the store's writer) is
waited for in real time, so that no timer overtakes it. In the place of HTTP stands a function from request to answer.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from tests.support import daemon_in_process
from tests.support.invariants import Life, violations
from tests.support.keys import FixedKeys
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.core.delivery.model import Dedup, Delivered, DeliveryRequest, Outcome, Policy
from watcher.core.event import Event
from watcher.core.incidents.tracker import Thresholds
from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.routes import Route, Routes
from watcher.core.secret import Secret
from watcher.core.training.model import ServiceRef
from watcher.http import Answered, Headers, HttpRequest, HttpResult
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.worker import workers
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.routing import Router
from watcher.receivers.payload import render_body, render_group
from watcher.simulator import CallKind
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

T = TypeVar("T")

START: Final = datetime(2026, 11, 23, tzinfo=UTC)
TICK_SECONDS: Final = 0.5
REAL_WAIT_SECONDS: Final = 0.001
TURN_SECONDS: Final = 1e-9
ALL: Final = Routes(routes=(Route(number=1, match=Matcher(kinds=frozenset({"*"})), to=("hook",)),))


class _JumpingSelector(selectors.DefaultSelector):
    """Jumps over waits in which only time would pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads_at_work = 0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; where nothing is, let the virtual time pass."""
        if self.threads_at_work or timeout is None:
            return super().select(REAL_WAIT_SECONDS if self.threads_at_work else timeout)
        # No clock stands still: who waits for less than the loop can tell apart would wait for ever.
        self.now += TURN_SECONDS
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing else is to be done.

    Args:
        threads: whether work in threads is done in threads; else it is done at once, which days of time need.
    """

    def __init__(self, *, threads: bool = True) -> None:
        self._threads = threads
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        """Return virtual seconds."""
        return self.jumping.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # passed on
        """Run in a thread; virtual time stands still meanwhile."""
        if not self._threads:
            return self._done(func, *args)
        self.jumping.threads_at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_is_done)
        return future

    def _done(self, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it, as from a thread
            future.set_exception(error)
        return future

    def _thread_is_done(self, _future: object) -> None:
        self.jumping.threads_at_work -= 1


class VirtualClock:
    """Wall and monotonic time of a virtual loop; the wall can be stepped."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.step = timedelta()

    def utc_now(self) -> datetime:
        """Return the wall clock's time."""
        return START + self.step + timedelta(seconds=self._loop.time())

    def true_now(self) -> datetime:
        """Return the time as a clock that nobody steps shows it."""
        return START + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()


def run(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], *, threads: bool = True) -> T:
    """Run to the end on a loop of virtual time."""
    loop = VirtualLoop(threads=threads)
    try:
        return loop.run_until_complete(main(VirtualClock(loop)))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@dataclass(slots=True)
class World:
    """An API in memory: what it says of each training, and how it misbehaves now."""

    clock: VirtualClock
    trainings: dict[tuple[str, str], str] = field(default_factory=dict)
    """Service and version to status."""
    trouble: Callable[[float, str], Awaitable[HttpResult | None] | HttpResult | None] = lambda _now, _path: None
    """Virtual seconds and path to an answer of its own, or ``None`` for the honest one."""
    asked: list[float] = field(default_factory=list)
    """When requests came, in virtual seconds."""
    paths: list[str] = field(default_factory=list)
    latency_seconds: float = 0.01
    date_off: timedelta = timedelta()
    """How much the server's clock is ahead of ours."""
    shown: list[ShownAnswer] = field(default_factory=list)
    """What honest answers showed, by a clock that nobody steps."""
    lives: list[Life] = field(default_factory=list)
    """The daemons that watched it."""

    async def call(self, request: HttpRequest) -> HttpResult:
        """Answer one request, as ``HttpClient.call`` does."""
        assert isinstance(request.url, str)
        if request.on_write is not None:
            request.on_write()
        path = urlsplit(request.url).path
        asked_at = self.clock.utc_now()
        self.asked.append(self.clock.monotonic())
        self.paths.append(path)
        await asyncio.sleep(self.latency_seconds)
        trouble = self.trouble(self.clock.monotonic(), path)
        answer = await trouble if isinstance(trouble, Awaitable) else trouble
        return answer or self.honest(path, asked_at)

    def honest(self, path: str, asked_at: datetime | None = None) -> Answered:
        """Return the answer that tells what is, and remember what it showed."""
        document = self.document(path)
        assert isinstance(document, dict)
        kind = CallKind.LIST if "trains" in document else CallKind.VIEW
        for item in document.get("trains", [document]):
            subject = (item["serviceId"], item["type"], item["version"])
            self.shown.append(ShownAnswer(self.clock.true_now(), subject, item["status"], kind))
        return self.answer(200, document, asked_at=asked_at)

    def answer(
        self,
        status: int,
        document: object,
        *,
        asked_at: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Return an answer that comes now."""
        now = self.clock.utc_now()
        fields = {"date": format_datetime(now + self.date_off, usegmt=True), **(headers or {})}
        return Answered(
            status=status,
            headers=Headers(fields.items()),
            body=json.dumps(document).encode(),
            asked_at=asked_at or now,
            answered_at=now,
        )

    def document(self, path: str) -> object:
        """Return what an honest answer to this path holds."""
        connections = path.split("/")
        service = connections[4]
        items = [_training(service, version, word) for (of, version), word in self.trainings.items() if of == service]
        if "versions" in connections:
            return next(item for item in items if item["version"] == connections[-1])
        return {"trains": items, "offset": 0, "limit": 1000}


def _training(service: str, version: str, status: str) -> dict[str, object]:
    return {
        "serviceId": service,
        "type": "pop",
        "hpConfig": {"is_enabled": False},
        "version": version,
        "status": status,
        "createdDate": "2026-03-02T09:14:07.031",
        "inference": False,
    }


@dataclass(slots=True)
class Ear:
    """A receiver that keeps what it is told; ``outcome`` answers."""

    name: str = "hook"
    pace_key: str = "hook"
    pace_seconds: float = 0.0
    dedup: Dedup = Dedup.BY_ID
    heard: list[tuple[Event, ...]] = field(default_factory=list)
    also: list[tuple[Event, ...]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    """What a webhook would have got, for the invariant checker."""
    outcome: Callable[[DeliveryRequest], Outcome] = lambda _: Delivered()

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        return render_body(event, receiver_seq)

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
        return render_group(entries, also)

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        outcome = self.outcome(delivery_request)
        self.times.append(asyncio.get_running_loop().time())
        if isinstance(outcome, Delivered):
            self.heard.append(delivery_request.events)
            self.also.append(delivery_request.also)
            assert delivery_request.body is not None
            self.received.append(
                Received(
                    START + timedelta(seconds=self.times[-1]),
                    {"webhook-id": delivery_request.delivery_id},
                    delivery_request.body,
                )
            )
        return outcome

    @property
    def events(self) -> list[Event]:
        """Every event that was told, in order."""
        return [event for delivery_request in self.heard for event in delivery_request]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the events that were told, in order."""
        return [event.kind.value for event in self.events]


def service_polls(services: Iterable[str], interval_seconds: float = 30, idle_seconds: float = 300) -> list[Poll]:
    """Return a list call for each service."""
    cadence = Cadence(interval=timedelta(seconds=interval_seconds), idle_interval=timedelta(seconds=idle_seconds))
    return [Poll(service=ServiceRef("main", service), cadence=cadence) for service in services]


@asynccontextmanager
async def watching(  # noqa: PLR0913 - what a test sets up, all but the first four optional
    folder: Path,
    world: World,
    ear: Ear,
    polls: Iterable[Poll],
    *,
    per_second: float = 100.0,
    thresholds: Thresholds | None = None,
    ring_seconds: float = TICK_SECONDS,
) -> AsyncIterator[Poller]:
    """Run the stages on a real store as long as the block runs."""
    clock, born = world.clock, world.clock.true_now()
    database = open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())
    budget = Budget(per_second=per_second, max_concurrency=8, clock=clock)  # type: ignore[arg-type]  # fits Clock
    keys = FixedKeys(KeyPair(Secret("access"), Secret("secret-key")))
    account = AccountSpec(name="main", base_url="https://api.example/api/v1", keys=keys)
    api = AitemsClient(world, account, clock, budget)  # type: ignore[arg-type]  # World stands for HttpClient
    clock_trust = ClockTrust()
    delivery_workers = workers({"hook": ear}, Deliveries(database), Policy(), clock, clock_trust)
    router = Router(Outbox(database), ALL, {"hook": ear}, clock, delivery_workers["hook"].wake.tick)
    poller = Poller(
        polls,
        {"main": api},
        PollStore(database),
        clock,
        thresholds=thresholds or Thresholds(),
        clock_trust=clock_trust,
        on_events=router.wake.tick,
        on_caught_up=router.let_go,
    )
    await poller.start()
    pipeline = [_ring(poller, ring_seconds), router.run(), delivery_workers["hook"].run(), poller.flusher.for_ever()]
    tasks = [asyncio.create_task(stage) for stage in pipeline]
    try:
        yield poller
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await poller.stop(1.0)
        database.close()
        world.lives.append(Life(born, clock.true_now()))


def broken_invariants(folder: Path, world: World, ear: Ear, *, stepped: bool = False) -> list[str]:
    """Compare what the API showed with what the store recorded and what arrived; return every broken promise.

    Args:
        folder: the store's.
        world: it remembers what it showed.
        ear: it remembers what it was told.
        stepped: whether the wall clock was, so that its times say nothing.
    """
    evidence = daemon_in_process.evidence(folder, world.shown, world.lives, {ear.name: ear.received})
    return violations(replace(evidence, witnessed=not stepped))


async def _ring(poller: Poller, ring_seconds: float) -> None:
    while True:
        poller.tick()
        await asyncio.sleep(ring_seconds)
