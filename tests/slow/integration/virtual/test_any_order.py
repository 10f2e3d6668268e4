"""The real stages on a real store, in random order, compared with a small reference model.

The process may die between any two writes, and the store refuses some writes.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import structlog.testing
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy.exc import OperationalError

from tests.support import daemon_in_process
from tests.support import fault_table as tally
from tests.support.changing_trainings import all_delivered
from tests.support.invariants import DaemonRun, repeats, violations
from tests.support.keys import FixedKeys
from tests.support.recording_simulator import ShownAnswer
from tests.support.virtual import ALL, FakeApi, FakeReceiver, VirtualClock, VirtualLoop, service_polls
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.core.batch import NotSavedError
from watcher.core.delivery.lookup import LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import Dedup, Delivered, DeliveryRequest, Outcome, Policy, TryLater, Uncertain
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.incidents.model import Thresholds
from watcher.core.messages.reasons import reason_text
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.routing.matcher import ALL_KINDS, Matcher, matcher_of, patterns_of
from watcher.core.routing.routes import Routes
from watcher.core.routing.silence import EXEMPT, Silence
from watcher.core.secret import Secret
from watcher.core.training.model import ServiceRef
from watcher.core.training.run import WITHOUT_CHANGE
from watcher.core.training.stuck_rules import StuckRules
from watcher.core.training.transitions import NEEDS_CONFIRMATION, Transition, transition_between
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.pipeline.maintenance import Limits, Maintenance
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.routing import Router
from watcher.simulator import CallKind
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.operator_actions import DeliveryRefusedError, OperatorActions
from watcher.store.delivery.views import DeliveryFilter
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.silences import SilenceRefusedError, Silences
from watcher.store.sqlite.daily_backup import DailyBackup
from watcher.store.sqlite.database import Database, open_database
from watcher.store.url import sqlite_url
from watcher.store.views import EventHistory, HistoryFilter, open_views

SERVICES: Final = ("s1", "s2")
NAMES: Final = tuple((service, version) for service in SERVICES for version in ("v1", "v2", "v3"))
AT_FIRST: Final = NAMES[:1] + NAMES[3:5]
STATUSES: Final = ("ready", "requesting", "waiting", "learning", "stopping", "completed", "learningFailed", "paused")
UPDATES: Final = ("u1", "u2", "u3")
UPDATE_STATUSES: Final = ("learning", "completed", "learningFailed", "brandNew")
INTERVAL_SECONDS: Final = 30
SENDING_SECONDS: Final = 0.01
SHOWN_AFTER_SECONDS: Final = 4.0
"""Less than the wait before the first lookup."""
RECEIVERS: Final = ("hook", "more")
RESULTS: Final = ("arrives", "refused", "arrives-unanswered", "lost-unanswered", "dies-before", "dies-after")
NEVER: Final = 10**9
MOST_REFUSALS: Final = timedelta(seconds=10)
"""An answer is saved again each second, and each attempt may meet one refused write."""

Name = tuple[str, str]


class Death(BaseException):
    """The end of the process: none of its tasks continues."""


class DiskFullError(OperationalError):
    """The error of a write to a full disk."""

    def __init__(self) -> None:
        cause = sqlite3.OperationalError("database or disk is full")
        cause.sqlite_errorcode = sqlite3.SQLITE_FULL
        super().__init__("BEGIN", {}, cause)


REFUSED: Final = (DiskFullError, NotSavedError)
"""The errors of a refused write; a stage logs them and repeats its work later."""


@dataclass(slots=True)
class WriteFaults:
    """Kills the process before or after a chosen write; a dead process writes nothing."""

    writes_left: int = NEVER
    after: bool = False
    dead: bool = False
    refusals: int = 0
    """The number of next writes that meet a full disk."""

    def wrap(self, database: Database) -> None:
        """Wrap the writes of the stages."""
        original_write = database.write

        async def write(work: Callable[[Any], Any]) -> Any:
            if self.dead:
                raise Death
            if self.refusals:
                self.refusals -= 1
                raise DiskFullError
            self.writes_left -= 1
            if self.writes_left == 0 and not self.after:
                self.kill()
            result = await original_write(work)
            if self.writes_left == 0:
                self.kill()
            return result

        database.write = write  # type: ignore[method-assign]  # of this process only

    def kill(self) -> None:
        """End the process."""
        self.dead = True
        raise Death


@dataclass(slots=True)
class Model:
    """The reference model of one training, by the documented rules alone."""

    status: str | None = None
    unconfirmed: str | None = None
    """A status that needs a confirmation."""
    announced: list[str] = field(default_factory=list)

    def receive(self, status: str, kind: CallKind, *, baseline: bool) -> None:
        """Process one answer."""
        if self.status is None and baseline:
            self.status = status
            return
        transition = transition_between(self.status, status)
        if transition is Transition.SAME:
            self.unconfirmed = None
        elif self.unconfirmed == status or not self._needs_confirmation(transition, kind):
            self.status, self.unconfirmed = status, None
            self.announced.append(status)
        else:
            self.unconfirmed = status

    @staticmethod
    def _needs_confirmation(transition: Transition, kind: CallKind) -> bool:
        return transition in NEEDS_CONFIRMATION or (transition is Transition.END and kind is CallKind.LIST)


class FaultyReceiver(FakeReceiver):
    """A receiver with a drawn result for each attempt."""

    def __init__(self, name: str, write_faults: Callable[[], WriteFaults]) -> None:
        super().__init__(name=name, pace_key=name)
        self.results: list[str] = []
        self._write_faults = write_faults

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Attempt the delivery with the drawn result."""
        await asyncio.sleep(SENDING_SECONDS)
        result = self.results.pop(0) if self.results else "arrives"
        if result == "dies-before":
            self._write_faults().kill()
        if result in {"arrives", "arrives-unanswered", "dies-after"}:
            await super().send(request)
            self.note_arrival(request)
        if result == "dies-after":
            self._write_faults().kill()
        if result.endswith("unanswered"):
            return Uncertain(reason=text_reason("timeout"))
        return Delivered() if result == "arrives" else TryLater(reason=text_reason("http 503"))

    def note_arrival(self, request: DeliveryRequest) -> None:
        """Note the arrival of a request."""


class LookupReceiver(FaultyReceiver):
    """A receiver with lookups, which show a message shortly after its arrival."""

    def __init__(self, name: str, write_faults: Callable[[], WriteFaults]) -> None:
        super().__init__(name, write_faults)
        self.dedup = Dedup.BY_LOOKUP
        self._shows_from: dict[str, float] = {}

    def note_arrival(self, request: DeliveryRequest) -> None:
        """Show the message a little later."""
        self._shows_from[request.delivery_id] = asyncio.get_running_loop().time() + SHOWN_AFTER_SECONDS

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        """Return which of the deliveries are visible."""
        await asyncio.sleep(SENDING_SECONDS)
        now = asyncio.get_running_loop().time()
        shown = {identity for identity, since in self._shows_from.items() if since <= now}
        wanted = [request.delivery_id for request in requests]
        return {identity: MessageFound(receipt="1") if identity in shown else MessageNotFound() for identity in wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings of a configuration."""

    services: tuple[str, ...] = SERVICES
    interval_seconds: int = INTERVAL_SECONDS
    labels: tuple[tuple[str, str], ...] = ()
    receivers: tuple[str, ...] = RECEIVERS
    stuck_seconds: int | None = None
    """The limit of each stage; without it, limits are learned."""

    @property
    def polls(self) -> list[Poll]:
        """A list call for each service."""
        polls = service_polls(self.services, self.interval_seconds, self.interval_seconds)
        limit = None if self.stuck_seconds is None else StuckRules(usual=timedelta(seconds=self.stuck_seconds))
        return [
            replace(poll, attributes=WatchAttributes(labels=dict(self.labels), stuck_rules=limit)) for poll in polls
        ]

    @property
    def routes(self) -> Routes:
        """One route with all events to all receivers."""
        return replace(ALL, routes=(replace(ALL.routes[0], to=self.receivers),))


PLANS: Final = st.builds(
    Plan,
    services=st.sampled_from((SERVICES, *((service,) for service in SERVICES))),
    interval_seconds=st.sampled_from((INTERVAL_SECONDS, INTERVAL_SECONDS // 2)),
    stuck_seconds=st.sampled_from((None, 100, 5000)),
    labels=st.sampled_from(((), (("env", "prod"),))),
    receivers=st.sampled_from((RECEIVERS, *((receiver,) for receiver in RECEIVERS))),
)


@dataclass(slots=True, kw_only=True)
class ExpectedRouting:
    """The expected routing of an event, by the plan and the silences at that time."""

    receivers: frozenset[str]
    silences: frozenset[str]
    """Any of these may have silenced it; empty if the event is sent."""


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class AnyOrder(RuleBasedStateMachine):
    """Polls, routes, deliveries, deaths, refused writes, waits, clock steps, reloads, silences, operator actions."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.loop = VirtualLoop()
        # The errors of a dying process do not matter.
        self.loop.set_exception_handler(lambda *_: None)
        self.api = FakeApi(VirtualClock(self.loop))
        self.plan = Plan()
        self.receivers = {
            "hook": FaultyReceiver("hook", lambda: self.write_faults),
            "more": LookupReceiver("more", lambda: self.write_faults),
        }
        self.silences: list[Silence] = []
        self.expected_routings: dict[str, ExpectedRouting] = {}
        self.uncounted: list[ShownAnswer] = []
        """Answers to polls that a reload had replaced."""
        self.models = {name: Model() for name in NAMES}
        self.listed: set[str] = set()
        self.compared = 0
        self.write_faults = WriteFaults()
        self.stepped = False

    # The process

    @initialize()
    def begin(self) -> None:
        self.api.trainings = dict.fromkeys(AT_FIRST, "requesting")
        self.api.cycle = "hour1"
        self.open()

    def open(self) -> None:
        self.write_faults = WriteFaults()
        self.started_at = self.api.clock.true_now()
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        clock = self.api.clock
        self.database = open_database(self.folder / "watcher.db", purpose="test", now=clock.utc_now())
        self.write_faults.wrap(self.database)
        budget = Budget(per_second=100.0, max_concurrency=8, clock=clock)  # type: ignore[arg-type]  # fits Clock
        keys = FixedKeys(KeyPair(Secret("access"), Secret("secret-key")))
        account = AccountSpec(name="main", base_url="https://api.example/api/v1", keys=keys)
        client = AitemsClient(self.api, account, clock, budget)  # type: ignore[arg-type]  # FakeApi stands for HttpClient
        self.clock_trust = ClockTrust(clock)
        self.clients = {"main": client}
        self.paces: dict[str, ChannelPace] = {}
        deliveries = Deliveries(self.database)
        self.workers = self._workers()
        self.router = Router(Outbox(self.database), self.plan.routes, self._receivers(), clock, lambda: None)
        backups = DailyBackup(self.database)
        self.maintenance = Maintenance(
            Retention(self.database), deliveries, backups, self._limits(), clock, clock_trust=self.clock_trust
        )
        self.poller = Poller(
            self.plan.polls,
            self.clients,
            PollStore(self.database),
            clock,
            thresholds=Thresholds(),
            clock_trust=self.clock_trust,
            on_events=lambda: None,
            on_caught_up=self.router.release,
            service_apis=self.clients,
        )
        await deliveries.reclaim(self.plan.receivers, clock.utc_now())
        await self.poller.start()
        await self._probe()

    async def _probe(self) -> None:
        """Probe failing receivers at once, as delivery workers do at their start."""
        for worker in self.workers.values():
            with suppress(*REFUSED):
                await worker.probe()

    def _receivers(self) -> dict[str, FaultyReceiver]:
        return {name: self.receivers[name] for name in self.plan.receivers}

    def _workers(self) -> Mapping[str, DeliveryWorker]:
        deliveries, receivers = Deliveries(self.database), self._receivers()
        return workers(receivers, deliveries, Policy(), self.api.clock, self.clock_trust, paces=self.paces)

    def _limits(self) -> Limits:
        return Limits(
            keep_history=timedelta(days=400),
            longest_wait=timedelta(hours=1),
            give_up_after=timedelta(days=3650),
            receivers=frozenset(self.plan.receivers),
        )

    def close(self, ended: datetime | None = None) -> None:
        """End the process; answers after ``ended`` may or may not be recorded."""
        self.loop.run_until_complete(_end_all())
        self.database.close()
        self.api.runs.append(DaemonRun(self.started_at, ended or self.api.clock.true_now()))

    def do(self, work: Coroutine[Any, Any, Any], *, torn: bool = False) -> None:
        """Run a stage; after its death, start a new process. If ``torn``, some answers may not be recorded."""
        began = self.api.clock.true_now()
        with suppress(Death, *REFUSED):
            self.loop.run_until_complete(work)
        died = self.write_faults.dead
        history = self._history()
        self._compare(history, torn=died or torn)
        self._note_routed(history)
        if died:
            self.close(began)
            self.open()
        # Only the next process knows the last writes of a dead one.
        self.listed = {service for service in SERVICES if self._is_listed(service)}

    # Actions

    @rule(statuses=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(STATUSES), min_size=1))
    def change(self, statuses: dict[Name, str]) -> None:
        self.api.trainings |= statuses

    @rule(
        name=st.sampled_from(NAMES),
        statuses=st.dictionaries(st.sampled_from(UPDATES), st.sampled_from(UPDATE_STATUSES), min_size=1),
    )
    def update(self, name: Name, statuses: dict[str, str]) -> None:
        self.api.updates.setdefault(name, {}).update(statuses)

    @rule(name=st.sampled_from(NAMES))
    def result(self, name: Name) -> None:
        self.api.with_result.add(name)

    @rule()
    def poll(self) -> None:
        self.do(self._poll())

    async def _poll(self) -> None:
        await asyncio.sleep(INTERVAL_SECONDS * 1.2)
        for _ in range(3):
            self.poller.tick()
            await self._polls_end()
            await asyncio.sleep(0.1)

    async def _polls_end(self) -> None:
        while tasks := set(self.poller._tasks):
            await asyncio.wait(tasks)
            if self.write_faults.dead:
                raise Death

    @rule(plan=PLANS, busy_seconds=st.sampled_from((0.0, 0.005, 0.015)))
    def reload(self, plan: Plan, busy_seconds: float) -> None:
        self.do(self._reload(plan, busy_seconds), torn=bool(busy_seconds))

    async def _reload(self, plan: Plan, busy_seconds: float = 0.0) -> None:
        """Reload as ``wiring.reload`` does, also during polls and attempts."""
        open_tasks: list[asyncio.Task[None]] = []
        if busy_seconds:
            await asyncio.sleep(INTERVAL_SECONDS * 1.2)
            self.poller.tick()
            open_tasks = [asyncio.create_task(self._swept(worker)) for worker in self.workers.values()]
            await asyncio.sleep(busy_seconds)
        before, self.plan = self.plan, plan
        for worker in self.workers.values():
            worker.stop()
        self.router.apply_config(plan.routes, self._receivers())
        self.workers = self._workers()
        self.maintenance.apply_config(self._limits())
        seen = len(self.api.shown)
        await self.poller.apply_config(plan.polls, self.clients, Thresholds(), service_apis=self.clients)
        await self._probe()
        open_tasks += [asyncio.create_task(self._swept(worker)) for worker in self.workers.values() if busy_seconds]
        await asyncio.gather(*open_tasks)
        await self._polls_end()
        retired = {poll.service.service for poll in before.polls if poll not in plan.polls}
        self.uncounted += [shown for shown in self.api.shown[seen:] if shown.subject[0] in retired]

    @rule(
        service=st.sampled_from((*SERVICES, "*")),
        kind=st.sampled_from((ALL_KINDS, Kind.FAILED.value)),
        seconds=st.sampled_from((100, 10_000, 300_000)),
    )
    def silence(self, service: str, kind: str, seconds: int) -> None:
        words = {"kind": [kind], **({} if service == "*" else {"service": [service]})}
        self.do(self._silence(matcher_of(words), timedelta(seconds=seconds)))
        self.silences = self._silences()

    async def _silence(self, match: Matcher, lasts: timedelta) -> None:
        added = await Silences(self.database).add(match, lasts, "mina", "known", self.api.clock.utc_now())
        # The same silence, added again a moment later, is one.
        is_repeat = added in self.silences
        assert self._silences() == (self.silences if is_repeat else [*self.silences, added])

    @rule(number=st.integers(0, 3))
    @precondition(lambda self: self.silences)
    def end_silence(self, number: int) -> None:
        silence = self.silences[number % len(self.silences)]
        self.do(self._end_silence(silence))
        self.silences = self._silences()

    async def _end_silence(self, silence: Silence) -> None:
        with suppress(SilenceRefusedError):
            await Silences(self.database).end(silence.id, "mina", self.api.clock.utc_now())

    def _silences(self) -> list[Silence]:
        with open_views(sqlite_url(self.folder / "watcher.db")) as views:
            found = views.every_silence()
        order = [silence.id for silence in self.silences]
        return sorted(found, key=lambda silence: order.index(silence.id) if silence.id in order else len(order))

    @rule(
        statuses=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(STATUSES), min_size=1),
        results=st.lists(st.sampled_from(RESULTS), max_size=3),
    )
    def poll_and_deliver(self, statuses: dict[Name, str], results: list[str]) -> None:
        self.change(statuses)
        self.poll()
        self.poll()
        self.route()
        self.deliver(results)

    @rule()
    def flush(self) -> None:
        self.do(self.poller.cache.flush())

    @rule()
    def route(self) -> None:
        self.do(self.router.drain())

    @rule(results=st.lists(st.sampled_from(RESULTS), max_size=3))
    def deliver(self, results: list[str]) -> None:
        self.receivers["hook"].results, self.receivers["more"].results = list(results), results[::-1]
        self.do(self._sweep())

    async def _sweep(self) -> None:
        # In parallel, as in the daemon: otherwise the second receiver would rarely have an unanswered attempt.
        await asyncio.gather(*(self._swept(worker) for worker in self.workers.values()))

    @staticmethod
    async def _swept(worker: DeliveryWorker) -> None:
        with suppress(*REFUSED):
            await worker.sweep()

    @rule(number=st.integers(0, 9), drop=st.booleans())
    def retry_or_drop_by_operator(self, number: int, *, drop: bool) -> None:
        with open_views(sqlite_url(self.folder / "watcher.db")) as views:
            waiting = views.deliveries(DeliveryFilter(states=frozenset({State.PENDING, State.UNCERTAIN})))
        if waiting:
            self.do(self._by_operator(waiting[number % len(waiting)].id, drop=drop))

    async def _by_operator(self, identity: str, *, drop: bool) -> None:
        operator_actions, now = OperatorActions(self.database, self.plan.receivers), self.api.clock.utc_now()
        # A delivery to a receiver that is not configured cannot be sent.
        with suppress(DeliveryRefusedError):
            await (
                operator_actions.drop([identity], "mina", now)
                if drop
                else operator_actions.retry([identity], "mina", now)
            )

    @rule()
    def maintain(self) -> None:
        self.do(self.maintenance.once())

    @rule(seconds=st.sampled_from((1, 200, 8000)))
    def wait(self, seconds: int) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(write=st.integers(1, 4), after=st.booleans())
    @precondition(lambda self: self.write_faults.writes_left > 10)
    def die_soon(self, write: int, *, after: bool) -> None:
        self.write_faults.writes_left, self.write_faults.after = write, after

    @rule(writes=st.integers(1, MOST_REFUSALS.seconds - 2))
    def refuse_writes(self, writes: int) -> None:
        self.write_faults.refusals = writes

    @rule()
    def die(self) -> None:
        self.write_faults.dead = True
        self.do(asyncio.sleep(0))

    @rule()
    def stop_in_order(self) -> None:
        self.do(self._stop())
        self.close()
        self.open()

    async def _stop(self) -> None:
        await self.poller.stop(1.0)
        if self.write_faults.dead:
            raise Death
        await self.router.drain()

    @rule(hours=st.sampled_from((-1, 1, 72)))
    def step_clock(self, hours: int) -> None:
        self.stepped = True
        self.api.clock.step += timedelta(hours=hours)
        self.api.date_offset -= timedelta(hours=hours)
        self.maintenance.clock_stepped()
        self.do(self.maintenance.once())

    # Invariants

    def _note_routed(self, history: Sequence[EventHistory]) -> None:
        """Note the expected routing of newly routed events, and check their silences."""
        for announced in history:
            if announced.routed_at is None or announced.event.id in self.expected_routings:
                continue
            time, event = announced.routed_at, announced.event
            silences = frozenset(silence.id for silence in self.silences if self._applies(silence, event, time))
            # A receiver gets no events about itself.
            itself = frozenset() if event.receiver is None else frozenset({event.receiver.name})
            receivers = frozenset(self.plan.receivers) - itself
            expected = self.expected_routings[event.id] = ExpectedRouting(receivers=receivers, silences=silences)
            for outcome in announced.delivery_outcomes:
                silenced = outcome.state is State.SILENCED
                assert silenced is bool(expected.silences), f"{event.short_id}: recorded {outcome}, expected {expected}"
                assert not silenced or reason_text(outcome.reason) in expected.silences, (
                    f"{outcome} is not of {expected}"
                )

    @staticmethod
    def _applies(silence: Silence, event: Event, time: datetime) -> bool:
        words = patterns_of(silence.match)
        fits = words["kind"] in (["*"], [event.kind.value]) and words.get("service") in (None, [event.service])
        fits = fits and event.kind not in EXEMPT
        return fits and silence.ended_at is None and silence.starts_at <= time < silence.ends_at

    def _history(self) -> list[EventHistory]:
        with open_views(sqlite_url(self.folder / "watcher.db")) as views:
            return views.history(HistoryFilter(limit=1_000_000))

    def _compare(self, history: Sequence[EventHistory], *, torn: bool) -> None:
        """Compare every training with the model; the last answers of a dead process may be recorded or not."""
        new, self.compared = self.api.shown[self.compared :], len(self.api.shown)
        before = {name: (model.status, model.announced) for name, model in self.models.items()}
        self.models = {name: replace(model, announced=list(model.announced)) for name, model in self.models.items()}
        for shown in new:
            service, _, version = shown.subject
            self.models[service, version].receive(shown.status, shown.kind, baseline=service not in self.listed)
        recorded = self._recorded(history)
        for name, model in self.models.items():
            kept = recorded.get(name, Model())
            if not torn:
                assert (kept.status, kept.announced) == (model.status, model.announced), (
                    f"{name}: recorded {kept}, expected {model}"
                )
                continue
            statuses = {shown.status for shown in new if name == (shown.subject[0], shown.subject[2])}
            assert kept.announced[: len(before[name][1])] == before[name][1], (
                f"{name}: {kept} lost events of {before[name]}"
            )
            assert kept.status in statuses | {before[name][0]}, f"{name}: {kept} was not in an answer"
            self.models[name] = kept

    def _is_listed(self, service: str) -> bool:
        return self.poller.cache.poll(ServiceRef("main", service).subject).good_asked_at is not None

    def _recorded(self, history: Sequence[EventHistory]) -> dict[Name, Model]:
        with open_views(sqlite_url(self.folder / "watcher.db")) as views:
            known = views.trainings()
        models = {
            (item.ref.service, item.ref.version): Model(item.status, item.pending.status if item.pending else None)
            for item in known
        }
        for item in history:
            # Events about receivers have no training.
            is_change = item.event.incident is None and item.event.kind not in WITHOUT_CHANGE
            if is_change and item.event.version is not None:
                models[item.event.service or "", item.event.version].announced.append(item.event.to_status or "")
        return models

    def teardown(self) -> None:
        """Run until every delivery has ended; then nothing may be missing, repeated or out of order."""
        try:
            self._settle()
            self.close()
            self._check()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _settle(self) -> None:
        self.write_faults.writes_left, self.write_faults.refusals = NEVER, 0
        for receiver in self.receivers.values():
            receiver.results = []
        self.do(self._reload(Plan()))
        for _ in range(3):
            self.do(self._poll())
        for _ in range(20):
            self.do(self.router.drain())
            self.do(self._sweep())
            if all_delivered(self.folder):
                return
            self.do(asyncio.sleep(8000))

    def _check(self) -> None:
        if tally.TALLY.current is not None:
            tally.TALLY.current.rounds += 1
        counted = [shown for shown in self.api.shown if not any(shown is item for item in self.uncounted)]
        received = {name: receiver.received for name, receiver in self.receivers.items()}
        evidence = daemon_in_process.evidence(self.folder, counted, self.api.runs, received)
        routed = {identity: expected.receivers for identity, expected in self.expected_routings.items()}
        evidence = replace(
            evidence, answers_comparable=not self.stepped, routed=lambda event: routed[event.id], patience=MOST_REFUSALS
        )
        assert violations(evidence) == []
        assert repeats(received["more"]) == 0, "a receiver with lookups never gets a message twice"


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def test_r1_in_any_order_the_stages_match_the_reference_model() -> None:
    full = tally.TALLY.full
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=400 if full else 15,
            stateful_step_count=50,
            derandomize=not full,
            deadline=None,
            database=None,
            print_blob=True,
            phases=(Phase.generate, *([Phase.shrink] if full else [])),
            suppress_health_check=list(HealthCheck),
        ),
    )
