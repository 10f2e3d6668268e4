"""The real stages and the real store on virtual time, so that hours pass at once; only HTTP is replaced.

The loop's clock jumps to the next timer when the loop is idle. Work for threads (the store's writer) runs in the loop,
and the virtual clock waits for it. A function from request to answer replaces HTTP.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

from tests.support import daemon_in_process
from tests.support.invariants import DaemonRun, violations
from tests.support.keys import FixedKeys
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.core.delivery.model import Dedup, Delivered, DeliveryRequest, Outcome, Policy
from watcher.core.event import Event
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.routes import Route, Routes
from watcher.core.secret import Secret
from watcher.core.training.model import ServiceRef
from watcher.http import Answered, Headers, HttpRequest, HttpResult
from watcher.pipeline import routing
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery import worker
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
SWEEP_SECONDS: Final = 300.0
"""A sweep takes real time, and the stages must signal their work to each other without one."""
TURN_SECONDS: Final = 1e-9
ALL: Final = Routes(routes=(Route(number=1, match=Matcher(kinds=frozenset({"*"})), to=("hook",)),))


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that skips idle waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return the ready events; without any, advance the virtual time."""
        if timeout is None:
            return super().select()
        # The clock always advances: a wait shorter than the loop's resolution would never end otherwise.
        self.now += TURN_SECONDS
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time advances only while it is idle.

    Work for an executor runs as a callback of the loop, after those that are ready. Threads cost more time than
    their work, and a run would differ from the next.
    """

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        """Return virtual seconds."""
        return self.jumping.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # no thread
        """Run the work in the loop; virtual time stops meanwhile."""
        future = self.create_future()
        self.call_soon(_run_work, future, func, args)
        return future


def _run_work(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except Exception as error:  # noqa: BLE001 - it goes to the awaiting task, as from a thread
        future.set_exception(error)


class VirtualClock:
    """Wall and monotonic time of a virtual loop; a test can step the wall clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.step = timedelta()

    def utc_now(self) -> datetime:
        """Return the wall clock's time."""
        return START + self.step + timedelta(seconds=self._loop.time())

    def true_now(self) -> datetime:
        """Return the wall time without any steps."""
        return START + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()


def run(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], *, sweep_seconds: float = SWEEP_SECONDS) -> T:
    """Run a coroutine to its end on a virtual loop."""
    loop = VirtualLoop()
    try:
        with ExitStack() as stack:
            for stage in (routing, worker):
                stack.enter_context(mock.patch.object(stage, "SWEEP_SECONDS", sweep_seconds))
                idle_seconds = max(sweep_seconds, stage.IDLE_SECONDS)
                stack.enter_context(mock.patch.object(stage, "IDLE_SECONDS", idle_seconds))
            return loop.run_until_complete(main(VirtualClock(loop)))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@dataclass(slots=True)
class FakeApi:
    """An AiTEMS API in memory: the statuses of the trainings, and the current fault."""

    clock: VirtualClock
    trainings: dict[tuple[str, str], str] = field(default_factory=dict)
    """Service and version to status."""
    services: list[str] | None = None
    """The services of the account; ``None`` for those of the trainings. Another service is answered by a 404."""
    names: dict[str, str] = field(default_factory=dict)
    """The names of services; any other service has a name that is made of its id."""
    cycle: str | None = None
    """``learningInterval`` of the services; ``None`` for services without updates."""
    updates: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """Service and version to its updates, each with its status."""
    with_result: set[tuple[str, str]] = field(default_factory=set)
    """Service and version of the trainings with an inference result."""
    created: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Service and version to the creation; by default the first answer with the training."""
    fault: Callable[[float, str], Awaitable[HttpResult | None] | HttpResult | None] = lambda _now, _path: None
    """Returns an answer for virtual seconds and path, or ``None`` for the true one.

    The path has a query where the request is for the records behind a page.
    """
    request_times: list[float] = field(default_factory=list)
    """The times of the requests, in virtual seconds."""
    paths: list[str] = field(default_factory=list)
    latency_seconds: float = 0.01
    date_offset: timedelta = timedelta()
    """The lead of the server's clock over ours."""
    shown: list[ShownAnswer] = field(default_factory=list)
    """The statuses in true answers, with unstepped times."""
    runs: list[DaemonRun] = field(default_factory=list)
    """The runs of the daemons that polled it."""

    async def call(self, request: HttpRequest) -> HttpResult:
        """Answer one request, as ``HttpClient.call`` does."""
        assert isinstance(request.url, str)
        if request.on_write is not None:
            request.on_write()
        target = target_of(request.url)
        path = target.partition("?")[0]
        asked_at = self.clock.utc_now()
        self.request_times.append(self.clock.monotonic())
        self.paths.append(path)
        await asyncio.sleep(self.latency_seconds)
        fault = self.fault(self.clock.monotonic(), target)
        answer = await fault if isinstance(fault, Awaitable) else fault
        return answer or self.true_answer(target, asked_at)

    def past_end(self, target: str, asked_at: datetime | None = None) -> Answered:
        """Return the empty page behind a list, which is always one page; it is no further answer about a training."""
        path = target.partition("?")[0]
        document = self.document(path)
        assert document is None or isinstance(document, dict)
        if document is None:
            return self.not_found(path, asked_at)
        empty: dict[str, object] = {name: [] for name in ("services", "trains") if name in document}
        return self.answer(200, {**document, **empty}, asked_at=asked_at)

    def true_answer(self, path: str, asked_at: datetime | None = None) -> Answered:
        """Return the true answer, and record its statuses."""
        if (document := self.about_updates(path)) is not None:
            return self.answer(200, document, asked_at=asked_at)
        if "?" in path:
            return self.past_end(path, asked_at)
        document = self.document(path)
        if document is None:
            return self.not_found(path, asked_at)
        assert isinstance(document, dict)
        if "services" in document:
            return self.answer(200, document, asked_at=asked_at)
        kind = CallKind.LIST if "trains" in document else CallKind.VIEW
        for item in document.get("trains", [document]):
            subject = (item["serviceId"], item["type"], item["version"])
            self.shown.append(ShownAnswer(self.clock.true_now(), subject, item["status"], kind))
        return self.answer(200, document, asked_at=asked_at)

    def about_updates(self, target: str) -> object:
        """Return the answer to a call about an interval service; ``None`` for any other call."""
        path, _, query = target.partition("?")
        service = path.split("/")[-2 if path.endswith("/updates") else -1]
        if path.endswith(f"/services/{service}"):
            kind = {"type": "batch"} if self.cycle is None else {"type": "interval", "learningInterval": self.cycle}
            return {**_service(service), **kind}
        if not path.endswith("/updates"):
            return None
        version = dict(parse_qsl(query))["trainVersion"]
        known = self.updates.get((service, version), {})
        return {"updates": [{"updateVersion": name, "status": status} for name, status in known.items()]}

    def answer(
        self,
        status: int,
        document: object,
        *,
        asked_at: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Return an answer with the present time."""
        now = self.clock.utc_now()
        fields = {"date": format_datetime(now + self.date_offset, usegmt=True), **(headers or {})}
        return Answered(
            status=status,
            headers=Headers(fields.items()),
            body=json.dumps(document).encode(),
            asked_at=asked_at or now,
            answered_at=now,
        )

    def not_found(self, path: str, asked_at: datetime | None = None) -> Answered:
        """Return AiTEMS' own 404."""
        timestamp = self.clock.utc_now().isoformat()
        document = {"timestamp": timestamp, "status": 404, "error": "Not Found", "path": path}
        return self.answer(404, document, asked_at=asked_at)

    def listed_services(self) -> list[str]:
        """Return the services of the account."""
        return list(dict.fromkeys(of for of, _ in self.trainings)) if self.services is None else self.services

    def document(self, path: str) -> object:
        """Return the document of the true answer for this path; ``None`` for a thing that does not exist."""
        parts = path.split("/")
        if path.endswith("/services"):
            return {
                "services": [_service(service, self.names.get(service)) for service in self.listed_services()],
                "offset": 0,
                "limit": 1000,
            }
        service = parts[4]
        if self.services is not None and service not in self.services:
            return None
        items = [
            {
                **_training(service, version, status, self._created_at(of, version)),
                "inference": (of, version) in self.with_result,
            }
            for (of, version), status in self.trainings.items()
            if of == service
        ]
        if "versions" in parts:
            return next((item for item in items if item["version"] == parts[-1]), None)
        return {"trains": items, "offset": 0, "limit": 1000}

    def _created_at(self, service: str, version: str) -> datetime:
        return self.created.setdefault((service, version), self.clock.utc_now())


def target_of(url: str) -> str:
    """Return the path of a request, with its query if it asks for the records behind a page."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _service(service: str, name: str | None = None) -> dict[str, object]:
    return {"serviceId": service, "name": name or f"name of {service}", "status": "enable"}


def _training(service: str, version: str, status: str, created: datetime) -> dict[str, object]:
    return {
        "serviceId": service,
        "type": "pop",
        "hpConfig": {"is_enabled": False},
        "version": version,
        "status": status,
        "createdDate": created.replace(tzinfo=None).isoformat(timespec="milliseconds"),
        "inference": False,
    }


@dataclass(slots=True)
class FakeReceiver:
    """A receiver that keeps its messages; ``outcome`` decides the result."""

    name: str = "hook"
    kind: str = "test"
    pace_key: str = "hook"
    pace_seconds: float = 0.0
    batch_max: int = 1
    dedup: Dedup = Dedup.BY_ID
    messages: list[tuple[Event, ...]] = field(default_factory=list)
    also: list[tuple[Event, ...]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    """The messages as webhooks, for the invariant checker."""
    outcome: Callable[[DeliveryRequest], Outcome] = lambda _: Delivered()

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        return render_body(event, receiver_seq)

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
        return render_group(entries, also)

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        outcome = self.outcome(delivery_request)
        self.times.append(asyncio.get_running_loop().time())
        if isinstance(outcome, Delivered):
            self.messages.append(tuple(delivery_request.events))
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
        """The events of all messages, in order."""
        return [event for events in self.messages for event in events]

    @property
    def kinds(self) -> list[str]:
        """The kinds of those events, in order."""
        return [event.kind.value for event in self.events]


def service_polls(services: Iterable[str], interval_seconds: float = 30, idle_seconds: float = 300) -> list[Poll]:
    """Return a list call for each service."""
    cadence = Cadence(interval=timedelta(seconds=interval_seconds), idle_interval=timedelta(seconds=idle_seconds))
    return [Poll(service=ServiceRef("main", service), cadence=cadence) for service in services]


@asynccontextmanager
async def running_pipeline(  # noqa: PLR0913 - the options of a test
    folder: Path,
    api: FakeApi,
    receiver: FakeReceiver,
    polls: Iterable[Poll],
    *,
    per_second: float = 100.0,
    thresholds: Thresholds | None = None,
    tick_seconds: float = TICK_SECONDS,
    asks_updates: bool = False,
) -> AsyncIterator[Poller]:
    """Run the stages on a real store while the block runs."""
    clock, started_at = api.clock, api.clock.true_now()
    database = open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())
    budget = Budget(per_second=per_second, max_concurrency=8, clock=clock)  # type: ignore[arg-type]  # fits Clock
    keys = FixedKeys(KeyPair(Secret("access"), Secret("secret-key")))
    account = AccountSpec(name="main", base_url="https://api.example/api/v1", keys=keys)
    client = AitemsClient(api, account, clock, budget)  # type: ignore[arg-type]  # FakeApi replaces HttpClient
    clock_trust = ClockTrust(clock)
    delivery_workers = workers({"hook": receiver}, Deliveries(database), Policy(), clock, clock_trust)
    router = Router(Outbox(database), ALL, {"hook": receiver}, clock, delivery_workers["hook"].wake.tick)
    poller = Poller(
        polls,
        {"main": client},
        PollStore(database),
        clock,
        thresholds=thresholds or Thresholds(),
        clock_trust=clock_trust,
        on_events=router.wake.tick,
        on_caught_up=router.release,
        service_apis={"main": client} if asks_updates else {},
    )
    await poller.start()
    pipeline = [
        _tick_regularly(poller, tick_seconds),
        router.run(),
        delivery_workers["hook"].run(),
        poller.flusher.run(),
    ]
    tasks = [asyncio.create_task(stage) for stage in pipeline]
    try:
        yield poller
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await poller.stop(1.0)
        database.close()
        api.runs.append(DaemonRun(started_at, clock.true_now()))


def broken_invariants(folder: Path, api: FakeApi, receiver: FakeReceiver, *, stepped: bool = False) -> list[str]:
    """Compare the answers of the API, the records and the arrivals; return every broken promise.

    Args:
        folder: the folder of the store.
        api: the API, with its answers.
        receiver: the receiver, with its messages.
        stepped: whether the wall clock was stepped, so that its times cannot be compared.
    """
    evidence = daemon_in_process.evidence(folder, api.shown, api.runs, {receiver.name: receiver.received})
    return violations(replace(evidence, answers_comparable=not stepped))


async def _tick_regularly(poller: Poller, tick_seconds: float) -> None:
    while True:
        poller.tick()
        await asyncio.sleep(tick_seconds)
