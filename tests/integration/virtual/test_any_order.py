"""The real stages on a real store, in any order, beside a small reference model.

The process dies between any two writes, and the store refuses some.
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
from tests.support.invariants import Life, repeats, violations
from tests.support.keys import FixedKeys
from tests.support.recording_simulator import ShownAnswer
from tests.support.virtual import ALL, Ear, VirtualClock, VirtualLoop, World, service_polls
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.core.batch import NotSavedError
from watcher.core.delivery.lookup import LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import Dedup, Delivered, DeliveryRequest, Outcome, Policy, State, TryLater, Uncertain
from watcher.core.event import Event, Kind
from watcher.core.incidents.tracker import Thresholds
from watcher.core.polling.plan import Naming, Poll
from watcher.core.routing.matcher import ALL_KINDS, Matcher, matcher_of, patterns_of
from watcher.core.routing.routes import Routes
from watcher.core.routing.silence import EXEMPT, Silence
from watcher.core.secret import Secret
from watcher.core.training.lifecycle import NEEDS_CONFIRMATION, Transition, transition_between
from watcher.core.training.model import ServiceRef
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.pipeline.maintenance import Limits, Maintenance
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.routing import Router
from watcher.simulator import CallKind
from watcher.store.deliveries import Deliveries
from watcher.store.delivery_views import DeliveryFilter
from watcher.store.operator_actions import DeliveryRefusedError, OperatorActions
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.silences import SilenceRefusedError, Silences
from watcher.store.sqlite.daily_backup import DailyBackup
from watcher.store.sqlite.database import Database, open_database
from watcher.store.views import EventHistory, HistoryFilter, open_views

pytestmark = pytest.mark.slow

SERVICES: Final = ("s1", "s2")
NAMES: Final = tuple((service, version) for service in SERVICES for version in ("v1", "v2", "v3"))
AT_FIRST: Final = NAMES[:1] + NAMES[3:5]
WORDS: Final = ("ready", "requesting", "waiting", "learning", "stopping", "completed", "learningFailed", "paused")
INTERVAL_SECONDS: Final = 30
SENDING_SECONDS: Final = 0.01
SHOWN_AFTER_SECONDS: Final = 4.0
"""Less than the wait before the first look."""
RECEIVERS: Final = ("hook", "more")
FATES: Final = ("arrives", "refused", "arrives-unanswered", "lost-unanswered", "dies-before", "dies-after")
NEVER: Final = 10**9
MOST_REFUSALS: Final = timedelta(seconds=10)
"""An answer tries to be kept once a second, and one write may be refused on each try."""

Name = tuple[str, str]


class Death(BaseException):
    """The process is gone: nothing of it goes on."""


class DiskFullError(OperationalError):
    """The store refuses a write, as it does on a full disk."""

    def __init__(self) -> None:
        cause = sqlite3.OperationalError("database or disk is full")
        cause.sqlite_errorcode = sqlite3.SQLITE_FULL
        super().__init__("BEGIN", {}, cause)


REFUSED: Final = (DiskFullError, NotSavedError)
"""What a stage hears of it; it logs that, and does the same later."""


@dataclass(slots=True)
class Reaper:
    """Lets the process die before or after the so-manieth write from now; the dead write nothing."""

    writes_left: int = NEVER
    after: bool = False
    dead: bool = False
    refusals: int = 0
    """So many writes from now on find no room."""

    def wrap(self, database: Database) -> None:
        """Stand between the stages and their store."""
        consumers = database.write

        async def write(work: Callable[[Any], Any]) -> Any:
            if self.dead:
                raise Death
            if self.refusals:
                self.refusals -= 1
                raise DiskFullError
            self.writes_left -= 1
            if self.writes_left == 0 and not self.after:
                self.come()
            result = await consumers(work)
            if self.writes_left == 0:
                self.come()
            return result

        database.write = write  # type: ignore[method-assign]  # for this process alone

    def come(self) -> None:
        """End it."""
        self.dead = True
        raise Death


@dataclass(slots=True)
class Model:
    """What is known of one training, by the sentences of semantics.md and nothing else."""

    word: str | None = None
    first: str | None = None
    """A word that needs a second sight."""
    announced: list[str] = field(default_factory=list)

    def see(self, word: str, kind: CallKind, *, baseline: bool) -> None:
        """Take one counting answer in."""
        if self.word is None and baseline:
            self.word = word
            return
        move = transition_between(self.word, word)
        if move is Transition.SAME:
            self.first = None
        elif self.first == word or not self._needs_two(move, kind):
            self.word, self.first = word, None
            self.announced.append(word)
        else:
            self.first = word

    @staticmethod
    def _needs_two(move: Transition, kind: CallKind) -> bool:
        return move in NEEDS_CONFIRMATION or (move is Transition.END and kind is CallKind.LIST)


class Mouth(Ear):
    """A receiver with whom each attempt has the fate that is drawn for it."""

    def __init__(self, name: str, reaper: Callable[[], Reaper]) -> None:
        super().__init__(name=name, pace_key=name)
        self.fates: list[str] = []
        self._reaper = reaper

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Let the drawn fate happen."""
        await asyncio.sleep(SENDING_SECONDS)
        fate = self.fates.pop(0) if self.fates else "arrives"
        if fate == "dies-before":
            self._reaper().come()
        if fate in {"arrives", "arrives-unanswered", "dies-after"}:
            await super().send(request)
            self.note_arrival(request)
        if fate == "dies-after":
            self._reaper().come()
        if fate.endswith("unanswered"):
            return Uncertain(reason="timeout")
        return Delivered() if fate == "arrives" else TryLater(reason="http 503")

    def note_arrival(self, request: DeliveryRequest) -> None:
        """Know that it is here."""


class Channel(Mouth):
    """One that can be asked what became of a message, and shows it a moment after it came."""

    def __init__(self, name: str, reaper: Callable[[], Reaper]) -> None:
        super().__init__(name, reaper)
        self.repeats = Dedup.BY_LOOKUP
        self._shows_from: dict[str, float] = {}

    def note_arrival(self, request: DeliveryRequest) -> None:
        """Show it from a moment later on."""
        self._shows_from[request.delivery_id] = asyncio.get_running_loop().time() + SHOWN_AFTER_SECONDS

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        """Say which of them it shows."""
        await asyncio.sleep(SENDING_SECONDS)
        now = asyncio.get_running_loop().time()
        shown = {identity for identity, since in self._shows_from.items() if since <= now}
        sought = [request.delivery_id for request in requests]
        return {identity: MessageFound(receipt="1") if identity in shown else MessageNotFound() for identity in sought}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a configuration says."""

    services: tuple[str, ...] = SERVICES
    interval_seconds: int = INTERVAL_SECONDS
    labels: tuple[tuple[str, str], ...] = ()
    receivers: tuple[str, ...] = RECEIVERS

    @property
    def polls(self) -> list[Poll]:
        """A list call for each service."""
        plain = service_polls(self.services, self.interval_seconds, self.interval_seconds)
        return [replace(poll, naming=Naming(labels=dict(self.labels))) for poll in plain]

    @property
    def routes(self) -> Routes:
        """Everything to every receiver."""
        return replace(ALL, routes=(replace(ALL.routes[0], to=self.receivers),))


PLANS: Final = st.builds(
    Plan,
    services=st.sampled_from((SERVICES, *((service,) for service in SERVICES))),
    interval_seconds=st.sampled_from((INTERVAL_SECONDS, INTERVAL_SECONDS // 2)),
    labels=st.sampled_from(((), (("env", "prod"),))),
    receivers=st.sampled_from((RECEIVERS, *((receiver,) for receiver in RECEIVERS))),
)


@dataclass(slots=True, kw_only=True)
class Fate:
    """What is due to an event by the plan and the silences that held when it was routed."""

    receivers: frozenset[str]
    silences: frozenset[str]
    """Any of these may have taken it; empty where it is told."""


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class AnyOrder(RuleBasedStateMachine):
    """Looks, routes, deliveries, deaths, refused writes, waits, steps of the clock, other plans, silences, hands."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.loop = VirtualLoop()
        # Of what a dying process leaves behind nobody asks.
        self.loop.set_exception_handler(lambda *_: None)
        self.world = World(VirtualClock(self.loop))
        self.plan = Plan()
        self.mouths = {"hook": Mouth("hook", lambda: self.reaper), "more": Channel("more", lambda: self.reaper)}
        self.quiet: list[Silence] = []
        self.fates: dict[str, Fate] = {}
        self.uncounted: list[ShownAnswer] = []
        """What was answered to looks that another plan had taken the place of."""
        self.models = {name: Model() for name in NAMES}
        self.listed: set[str] = set()
        self.read = 0
        self.reaper = Reaper()
        self.stepped = False

    # The process

    @initialize()
    def begin(self) -> None:
        self.world.trainings = dict.fromkeys(AT_FIRST, "requesting")
        self.open()

    def open(self) -> None:
        self.reaper = Reaper()
        self.born = self.world.clock.true_now()
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        clock = self.world.clock
        self.database = open_database(self.folder / "watcher.db", purpose="test", now=clock.utc_now())
        self.reaper.wrap(self.database)
        budget = Budget(per_second=100.0, max_concurrency=8, clock=clock)  # type: ignore[arg-type]  # fits Clock
        keys = FixedKeys(KeyPair(Secret("access"), Secret("secret-key")))
        account = AccountSpec(name="main", base_url="https://api.example/api/v1", keys=keys)
        api = AitemsClient(self.world, account, clock, budget)  # type: ignore[arg-type]  # World stands for HttpClient
        self.clock_trust = ClockTrust()
        self.apis = {"main": api}
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
            self.apis,
            PollStore(self.database),
            clock,
            thresholds=Thresholds(),
            clock_trust=self.clock_trust,
            on_events=lambda: None,
            on_caught_up=self.router.let_go,
        )
        await deliveries.reclaim(clock.utc_now())
        await self.poller.start()
        await self._probe()

    async def _probe(self) -> None:
        """Try parked receivers at once, as couriers begin with."""
        for worker in self.workers.values():
            with suppress(*REFUSED):
                await worker.probe()

    def _receivers(self) -> dict[str, Mouth]:
        return {name: self.mouths[name] for name in self.plan.receivers}

    def _workers(self) -> Mapping[str, DeliveryWorker]:
        deliveries, receivers = Deliveries(self.database), self._receivers()
        return workers(receivers, deliveries, Policy(), self.world.clock, self.clock_trust, paces=self.paces)

    def _limits(self) -> Limits:
        return Limits(
            keep_history=timedelta(days=400),
            longest_wait=timedelta(hours=1),
            give_up_after=timedelta(days=3650),
            receivers=frozenset(self.plan.receivers),
        )

    def close(self, ended: datetime | None = None) -> None:
        """End the process; of what was shown after ``ended`` nobody knows whether it was kept."""
        self.loop.run_until_complete(_end_all())
        self.database.close()
        self.world.lives.append(Life(self.born, ended or self.world.clock.true_now()))

    def do(self, work: Coroutine[Any, Any, Any], *, torn: bool = False) -> None:
        """Let a stage work; when it dies of it, a new process begins. Of what is torn, some answers do not count."""
        began = self.world.clock.true_now()
        with suppress(Death, *REFUSED):
            self.loop.run_until_complete(work)
        died = self.reaper.dead
        history = self._history()
        self._compare(history, torn=died or torn)
        self._note_routed(history)
        if died:
            self.close(began)
            self.open()
        # Only the next process knows what was written as the last one died.
        self.listed = {service for service in SERVICES if self._is_listed(service)}

    # What happens

    @rule(words=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS), min_size=1))
    def change(self, words: dict[Name, str]) -> None:
        self.world.trainings |= words

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
            if self.reaper.dead:
                raise Death

    @rule(plan=PLANS, busy_seconds=st.sampled_from((0.0, 0.005, 0.015)))
    def reload(self, plan: Plan, busy_seconds: float) -> None:
        self.do(self._reload(plan, busy_seconds), torn=bool(busy_seconds))

    async def _reload(self, plan: Plan, busy_seconds: float = 0.0) -> None:
        """Do as ``wiring.reload`` does, also while looks and attempts are under way."""
        under_way: list[asyncio.Task[None]] = []
        if busy_seconds:
            await asyncio.sleep(INTERVAL_SECONDS * 1.2)
            self.poller.tick()
            under_way = [asyncio.create_task(self._swept(worker)) for worker in self.workers.values()]
            await asyncio.sleep(busy_seconds)
        before, self.plan = self.plan, plan
        for worker in self.workers.values():
            worker.stop()
        self.router.apply_config(plan.routes, self._receivers())
        self.workers = self._workers()
        self.maintenance.apply_config(self._limits())
        seen = len(self.world.shown)
        await self.poller.apply_config(plan.polls, self.apis, Thresholds())
        await self._probe()
        under_way += [asyncio.create_task(self._swept(worker)) for worker in self.workers.values() if busy_seconds]
        await asyncio.gather(*under_way)
        await self._polls_end()
        retired = {poll.service.service for poll in before.polls if poll not in plan.polls}
        self.uncounted += [shown for shown in self.world.shown[seen:] if shown.subject[0] in retired]

    @rule(
        service=st.sampled_from((*SERVICES, "*")),
        kind=st.sampled_from((ALL_KINDS, Kind.FAILED.value)),
        seconds=st.sampled_from((100, 10_000, 300_000)),
    )
    def silence(self, service: str, kind: str, seconds: int) -> None:
        words = {"kind": [kind], **({} if service == "*" else {"service": [service]})}
        self.do(self._silence(matcher_of(words), timedelta(seconds=seconds)))
        self.quiet = self._silences()

    async def _silence(self, match: Matcher, lasts: timedelta) -> None:
        added = await Silences(self.database).add(match, lasts, "mina", "known", self.world.clock.utc_now())
        assert self._silences() == [*self.quiet, added]

    @rule(number=st.integers(0, 3))
    @precondition(lambda self: self.quiet)
    def end_silence(self, number: int) -> None:
        which = self.quiet[number % len(self.quiet)]
        self.do(self._end_silence(which))
        self.quiet = self._silences()

    async def _end_silence(self, which: Silence) -> None:
        with suppress(SilenceRefusedError):
            await Silences(self.database).end(which.id, "mina", self.world.clock.utc_now())

    def _silences(self) -> list[Silence]:
        with open_views(self.folder / "watcher.db") as views:
            found = views.every_silence()
        order = [silence.id for silence in self.quiet]
        return sorted(found, key=lambda silence: order.index(silence.id) if silence.id in order else len(order))

    @rule(
        words=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS), min_size=1),
        fates=st.lists(st.sampled_from(FATES), max_size=3),
    )
    def live(self, words: dict[Name, str], fates: list[str]) -> None:
        self.change(words)
        self.poll()
        self.poll()
        self.route()
        self.deliver(fates)

    @rule()
    def flush(self) -> None:
        self.do(self.poller.cache.flush())

    @rule()
    def route(self) -> None:
        self.do(self.router.drain())

    @rule(fates=st.lists(st.sampled_from(FATES), max_size=3))
    def deliver(self, fates: list[str]) -> None:
        self.mouths["hook"].fates, self.mouths["more"].fates = list(fates), fates[::-1]
        self.do(self._sweep())

    async def _sweep(self) -> None:
        # Beside each other, as they are: else the second would hardly live to see an attempt without an answer.
        await asyncio.gather(*(self._swept(worker) for worker in self.workers.values()))

    @staticmethod
    async def _swept(worker: DeliveryWorker) -> None:
        with suppress(*REFUSED):
            await worker.sweep()

    @rule(number=st.integers(0, 9), drop=st.booleans())
    def send_or_drop_by_hand(self, number: int, *, drop: bool) -> None:
        with open_views(self.folder / "watcher.db") as views:
            waiting = views.deliveries(DeliveryFilter(states=frozenset({State.PENDING, State.UNCERTAIN})))
        if waiting:
            self.do(self._by_hand(waiting[number % len(waiting)].id, drop=drop))

    async def _by_hand(self, identity: str, *, drop: bool) -> None:
        operator_actions, now = OperatorActions(self.database, self.plan.receivers), self.world.clock.utc_now()
        # Nobody would send what goes to a receiver that is not configured.
        with suppress(DeliveryRefusedError):
            await (operator_actions.drop([identity], "mina", now) if drop else operator_actions.retry([identity], now))

    @rule()
    def poll_after(self) -> None:
        self.do(self.maintenance.once())

    @rule(seconds=st.sampled_from((1, 200, 8000)))
    def wait(self, seconds: int) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(write=st.integers(1, 4), after=st.booleans())
    @precondition(lambda self: self.reaper.writes_left > 10)
    def die_soon(self, write: int, *, after: bool) -> None:
        self.reaper.writes_left, self.reaper.after = write, after

    @rule(writes=st.integers(1, MOST_REFUSALS.seconds - 2))
    def refuse_writes(self, writes: int) -> None:
        self.reaper.refusals = writes

    @rule()
    def die(self) -> None:
        self.reaper.dead = True
        self.do(asyncio.sleep(0))

    @rule()
    def stop_in_order(self) -> None:
        self.do(self._stop())
        self.close()
        self.open()

    async def _stop(self) -> None:
        await self.poller.stop(1.0)
        if self.reaper.dead:
            raise Death
        await self.router.drain()

    @rule(hours=st.sampled_from((-1, 1, 72)))
    def step_the_clock(self, hours: int) -> None:
        self.stepped = True
        self.world.clock.step += timedelta(hours=hours)
        self.world.date_off -= timedelta(hours=hours)
        self.maintenance.clock_stepped()
        self.do(self.maintenance.once())

    # What must hold

    def _note_routed(self, history: Sequence[EventHistory]) -> None:
        """Note what is due to the events that were routed just now, and that silences took those that are theirs."""
        for announced in history:
            if announced.routed_at is None or announced.event.id in self.fates:
                continue
            at, event = announced.routed_at, announced.event
            quiet = frozenset(silence.id for silence in self.quiet if self._is_quiet(silence, event, at))
            # Nobody is told about himself.
            whom = frozenset(self.plan.receivers) - {str((event.receiver or {}).get("name"))}
            fate = self.fates[event.id] = Fate(receivers=whom, silences=quiet)
            for delivery_outcome in announced.delivery_outcomes:
                silenced = delivery_outcome.state is State.SILENCED
                assert silenced is bool(fate.silences), (
                    f"{event.short_id}: {delivery_outcome} is recorded, {fate} is due"
                )
                assert not silenced or delivery_outcome.reason in fate.silences, f"{delivery_outcome} is not of {fate}"

    @staticmethod
    def _is_quiet(silence: Silence, event: Event, at: datetime) -> bool:
        words = patterns_of(silence.match)
        fits = words["kind"] in (["*"], [event.kind.value]) and words.get("service") in (None, [event.service])
        fits = fits and event.kind not in EXEMPT
        return fits and silence.ended_at is None and silence.starts_at <= at < silence.ends_at

    def _history(self) -> list[EventHistory]:
        with open_views(self.folder / "watcher.db") as views:
            return views.history(HistoryFilter(limit=1_000_000))

    def _compare(self, history: Sequence[EventHistory], *, torn: bool) -> None:
        """Compare every training with the model; what a dying process saw may be recorded or not."""
        new, self.read = self.world.shown[self.read :], len(self.world.shown)
        before = {name: (model.word, model.announced) for name, model in self.models.items()}
        self.models = {name: replace(model, announced=list(model.announced)) for name, model in self.models.items()}
        for shown in new:
            service, _, version = shown.subject
            self.models[service, version].see(shown.status, shown.kind, baseline=service not in self.listed)
        recorded = self._recorded(history)
        for name, model in self.models.items():
            kept = recorded.get(name, Model())
            if not torn:
                assert (kept.word, kept.announced) == (model.word, model.announced), (
                    f"{name}: {kept} is recorded, {model} is due"
                )
                continue
            words = {shown.status for shown in new if name == (shown.subject[0], shown.subject[2])}
            assert kept.announced[: len(before[name][1])] == before[name][1], f"{name}: {kept} forgot {before[name]}"
            assert kept.word in words | {before[name][0]}, f"{name}: {kept} was not shown"
            self.models[name] = kept

    def _is_listed(self, service: str) -> bool:
        return self.poller.cache.poll(ServiceRef("main", service).subject).good_asked_at is not None

    def _recorded(self, history: Sequence[EventHistory]) -> dict[Name, Model]:
        with open_views(self.folder / "watcher.db") as views:
            known = views.trainings()
        models = {
            (item.ref.service, item.ref.version): Model(item.status, item.pending.status if item.pending else None)
            for item in known
        }
        for item in history:
            # What is told of receivers is about no training.
            if item.event.incident is None and item.event.version is not None:
                models[item.event.service or "", item.event.version].announced.append(item.event.to_status or "")
        return models

    def teardown(self) -> None:
        """Let it live on until everything is told; then nothing may be missing, doubled or out of order."""
        try:
            self._live_on()
            self.close()
            self._judge()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _live_on(self) -> None:
        self.reaper.writes_left, self.reaper.refusals = NEVER, 0
        for mouth in self.mouths.values():
            mouth.fates = []
        self.do(self._reload(Plan()))
        for _ in range(3):
            self.do(self._poll())
        for _ in range(20):
            self.do(self.router.drain())
            self.do(self._sweep())
            if all_delivered(self.folder):
                return
            self.do(asyncio.sleep(8000))

    def _judge(self) -> None:
        if tally.TALLY.current is not None:
            tally.TALLY.current.rounds += 1
        counted = [shown for shown in self.world.shown if not any(shown is item for item in self.uncounted)]
        received = {name: mouth.received for name, mouth in self.mouths.items()}
        evidence = daemon_in_process.evidence(self.folder, counted, self.world.lives, received)
        routed = {identity: fate.receivers for identity, fate in self.fates.items()}
        evidence = replace(
            evidence, witnessed=not self.stepped, routed=lambda event: routed[event.id], patience=MOST_REFUSALS
        )
        assert violations(evidence) == []
        assert repeats(received["more"]) == 0, "what can be looked up is never told twice"


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def test_r1_in_any_order_the_stages_do_what_a_small_model_says() -> None:
    full = tally.TALLY.full
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=400 if full else 25,
            stateful_step_count=50,
            derandomize=not full,
            deadline=None,
            database=None,
            print_blob=True,
            phases=(Phase.generate, *([Phase.shrink] if full else [])),
            suppress_health_check=list(HealthCheck),
        ),
    )
