"""The real stages on a real store, in any order, with deaths between any two writes, beside a small reference model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import structlog.testing
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.support import tally
from tests.support.invariants import Life
from tests.support.virtual import ALL, Ear, VirtualClock, VirtualLoop, World, broken_promises, service_looks
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import FixedKeys, KeyPair
from watcher.core.delivery import OPEN_STATES, Delivered, Outcome, Parcel, Policy, TryLater, Uncertain
from watcher.core.incident import Thresholds
from watcher.core.lifecycle import SECOND_SIGHT, Move, move_between
from watcher.core.secret import Secret
from watcher.core.training import ServiceRef
from watcher.flow.deliver import Courier, couriers
from watcher.flow.doubt import ClockDoubt
from watcher.flow.poll import Poller
from watcher.flow.route import Router
from watcher.flow.upkeep import Limits, Upkeep
from watcher.simulator import CallKind
from watcher.store.backups import Backups
from watcher.store.database import Database, open_database
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
from watcher.store.retention import Retention
from watcher.store.views import HistoryFilter, open_views

pytestmark = pytest.mark.slow

SERVICES: Final = ("s1", "s2")
NAMES: Final = tuple((service, version) for service in SERVICES for version in ("v1", "v2", "v3"))
AT_FIRST: Final = NAMES[:1] + NAMES[3:5]
WORDS: Final = ("ready", "requesting", "waiting", "learning", "stopping", "completed", "learningFailed", "paused")
INTERVAL_SECONDS: Final = 30
FATES: Final = ("arrives", "refused", "arrives-unanswered", "lost-unanswered", "dies-before", "dies-after")
NEVER: Final = 10**9

Name = tuple[str, str]


class Death(BaseException):
    """The process is gone: nothing of it goes on."""


@dataclass(slots=True)
class Reaper:
    """Lets the process die before or after the so-manieth write from now; the dead write nothing."""

    writes_left: int = NEVER
    after: bool = False
    dead: bool = False

    def wrap(self, database: Database) -> None:
        """Stand between the stages and their store."""
        whole = database.write

        async def write(work: Callable[[Any], Any]) -> Any:
            if self.dead:
                raise Death
            self.writes_left -= 1
            if self.writes_left == 0 and not self.after:
                self.come()
            result = await whole(work)
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
    told: list[str] = field(default_factory=list)

    def see(self, word: str, kind: CallKind, *, baseline: bool) -> None:
        """Take one counting answer in."""
        if self.word is None and baseline:
            self.word = word
            return
        move = move_between(self.word, word)
        if move is Move.SAME:
            self.first = None
        elif self.first == word or not self._needs_two(move, kind):
            self.word, self.first = word, None
            self.told.append(word)
        else:
            self.first = word

    @staticmethod
    def _needs_two(move: Move, kind: CallKind) -> bool:
        return move in SECOND_SIGHT or (move is Move.END and kind is CallKind.LIST)


class Mouth(Ear):
    """A receiver with whom each attempt has the fate that is drawn for it."""

    def __init__(self, reaper: Callable[[], Reaper]) -> None:
        super().__init__()
        self.fates: list[str] = []
        self._reaper = reaper

    async def send(self, parcel: Parcel) -> Outcome:
        """Let the drawn fate happen."""
        fate = self.fates.pop(0) if self.fates else "arrives"
        if fate == "dies-before":
            self._reaper().come()
        if fate in {"arrives", "arrives-unanswered", "dies-after"}:
            await super().send(parcel)
        if fate == "dies-after":
            self._reaper().come()
        if fate.endswith("unanswered"):
            return Uncertain(reason="timeout")
        return Delivered() if fate == "arrives" else TryLater(reason="http 503")


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class AnyOrder(RuleBasedStateMachine):
    """Looks, routes, deliveries, deaths, waits and steps of the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.loop = VirtualLoop()
        # Of what a dying process leaves behind nobody asks.
        self.loop.set_exception_handler(lambda *_: None)
        self.world = World(VirtualClock(self.loop))
        self.ear = Mouth(lambda: self.reaper)
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
        self.doubt = ClockDoubt()
        deliveries = Deliveries(self.database)
        self.courier: Courier = couriers({"hook": self.ear}, deliveries, Policy(), clock, self.doubt)["hook"]
        self.router = Router(Outbox(self.database), ALL, {"hook": self.ear}, clock, lambda: None)
        limits = Limits(
            keep_history=timedelta(days=400),
            longest_wait=timedelta(hours=1),
            give_up_after=timedelta(days=3650),
            receivers=frozenset({"hook"}),
        )
        backups = Backups(self.database)
        self.upkeep = Upkeep(Retention(self.database), deliveries, backups, limits, clock, doubt=self.doubt)
        self.poller = Poller(
            service_looks(SERVICES, INTERVAL_SECONDS, INTERVAL_SECONDS),
            {"main": api},
            Polls(self.database),
            clock,
            thresholds=Thresholds(),
            doubt=self.doubt,
            on_events=lambda: None,
            on_caught_up=self.router.let_go,
        )
        await deliveries.reclaim(clock.utc_now())
        await self.poller.start()

    def close(self) -> None:
        self.loop.run_until_complete(_end_all())
        self.database.close()
        self.world.lives.append(Life(self.born, self.world.clock.true_now()))

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let a stage work; when it dies of it, a new process begins."""
        with suppress(Death):
            self.loop.run_until_complete(work)
        died = self.reaper.dead
        self._compare(died=died)
        if died:
            self.close()
            self.open()

    # What happens

    @rule(words=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS), min_size=1))
    def change(self, words: dict[Name, str]) -> None:
        self.world.trainings |= words

    @rule()
    def look(self) -> None:
        self.do(self._look())

    async def _look(self) -> None:
        await asyncio.sleep(INTERVAL_SECONDS * 1.2)
        for _ in range(3):
            self.poller.ring()
            while tasks := set(self.poller._tasks):
                await asyncio.wait(tasks)
                if self.reaper.dead:
                    raise Death
            await asyncio.sleep(0.1)

    @rule(words=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS), min_size=1))
    def live(self, words: dict[Name, str]) -> None:
        self.change(words)
        self.look()
        self.look()
        self.route()
        self.deliver([])

    @rule()
    def flush(self) -> None:
        self.do(self.poller.memory.flush())

    @rule()
    def route(self) -> None:
        self.do(self.router.drain())

    @rule(fates=st.lists(st.sampled_from(FATES), max_size=3))
    def deliver(self, fates: list[str]) -> None:
        self.ear.fates = list(fates)
        self.do(self.courier.sweep())

    @rule(seconds=st.sampled_from((1, 200, 8000)))
    def wait(self, seconds: int) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(write=st.integers(1, 4), after=st.booleans())
    @precondition(lambda self: self.reaper.writes_left > 10)
    def die_soon(self, write: int, *, after: bool) -> None:
        self.reaper.writes_left, self.reaper.after = write, after

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
        self.upkeep.clock_stepped()
        self.do(self.upkeep.once())

    # What must hold

    def _compare(self, *, died: bool) -> None:
        """Compare every training with the model; what a dying process saw may be recorded or not."""
        new, self.read = self.world.shown[self.read :], len(self.world.shown)
        before = {name: (model.word, model.told) for name, model in self.models.items()}
        self.models = {name: replace(model, told=list(model.told)) for name, model in self.models.items()}
        for shown in new:
            service, _, version = shown.subject
            self.models[service, version].see(shown.status, shown.kind, baseline=service not in self.listed)
        self.listed = {service for service in SERVICES if self._is_listed(service)}
        recorded = self._recorded()
        for name, model in self.models.items():
            kept = recorded.get(name, Model())
            if not died:
                assert (kept.word, kept.told) == (model.word, model.told), f"{name}: {kept} is recorded, {model} is due"
                continue
            words = {shown.status for shown in new if name == (shown.subject[0], shown.subject[2])}
            assert kept.told[: len(before[name][1])] == before[name][1], f"{name}: {kept} forgot {before[name]}"
            assert kept.word in words | {before[name][0]}, f"{name}: {kept} was not shown"
            self.models[name] = kept

    def _is_listed(self, service: str) -> bool:
        return self.poller.memory.look(ServiceRef("main", service).subject).good_asked_at is not None

    def _recorded(self) -> dict[Name, Model]:
        with open_views(self.folder / "watcher.db") as views:
            told = views.history(HistoryFilter(limit=1_000_000))
            known = views.trainings()
        models = {
            (item.ref.service, item.ref.version): Model(item.status, item.pending.status if item.pending else None)
            for item in known
        }
        for item in told:
            if item.event.incident is None:
                models[item.event.service or "", item.event.version or ""].told.append(item.event.to_status or "")
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
        self.reaper.writes_left, self.ear.fates = NEVER, []
        for _ in range(3):
            self.do(self._look())
        for _ in range(20):
            self.do(self.router.drain())
            self.do(self.courier.sweep())
            with open_views(self.folder / "watcher.db") as views:
                if not any(queue.state in OPEN_STATES for queue in views.queues()):
                    return
            self.do(asyncio.sleep(8000))

    def _judge(self) -> None:
        if tally.TALLY.current is not None:
            tally.TALLY.current.rounds += 1
        assert broken_promises(self.folder, self.world, self.ear, stepped=self.stepped) == []


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
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
