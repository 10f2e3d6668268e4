"""Days of watching five hundred trainings in minutes: what grows, what is forgotten in time, and what is late."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

from tests.support import daemon_in_process, virtual, virtual_daemon
from tests.support.changing_trainings import LIVES, all_delivered
from tests.support.invariants import Entry, Evidence, violations
from tests.support.soak import MEGABYTE, SERVICES, TRAININGS_EACH, Sample, growth, take_sample
from tests.support.virtual import VirtualClock
from tests.support.virtual_services import VirtualServices
from watcher.core.timestamps import from_text
from watcher.pipeline import maintenance
from watcher.store.url import sqlite_url
from watcher.store.views import EventHistory, HistoryFilter, open_views

IN_CACHE: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY_HOURS: Final = 24.0
ARCHIVES: Final = 8
"""So often within the time that history is kept, so that nothing is forgotten whose end the judgement has not read.

What waits for a receiver that is away must end well before it may be forgotten, hence the short ``max_retry``.
"""
SETTLING: Final = timedelta(hours=6)
CALM_SECONDS: Final = 600.0
"""Nothing changes so long before and after the wall clock is wrong, whose times say nothing."""
RECOVERY_SECONDS: Final = 1200.0
"""A pause that was asked for, and the back-off, may last so long after an absence."""

CONFIG: Final = """
[state]
url = "sqlite:///watcher.db"
keep_history = "1d"

[web]
listen = ""

[delivery]
max_retry = "5m"

[heartbeat]
url = "https://beat.example/ping"

[account.main]
base_url = "https://api.example/api/v1"
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }

[receiver.hook]
kind = "webhook"
url = "https://hook.example/in"
secret = { env = "WEBHOOK_SECRET" }

[receiver.chat]
kind = "slack-webhook"
url = { env = "SLACK_URL" }

[[route]]
match = { kind = "*" }
to = ["hook", "chat"]
"""
WATCH: Final = """
[[watch]]
service = "{service}"
interval = "{seconds}s"
idle_interval = "{seconds}s"
"""
ENVIRON: Final = {"SLACK_URL": "https://chat.example/services/T000/B000/secretpart"}


class Act(NamedTuple):
    """What happens in the course of a day."""

    hour: float
    what: str


COUNT: Final = "SELECT count(*) FROM event"
ORPHANS: Final = """
SELECT (SELECT count(*) FROM ledger WHERE event_id NOT IN (SELECT id FROM event))
     + (SELECT count(*) FROM delivery WHERE id NOT IN (SELECT delivery_id FROM ledger))
"""
OVER: Final = """
SELECT recorded_at, next_at, ended_at FROM (
    SELECT id, subject, recorded_at, lead(recorded_at) OVER (PARTITION BY subject ORDER BY position) AS next_at
    FROM event
) JOIN (
    SELECT event_id, max(ended_at) AS ended_at FROM ledger GROUP BY event_id HAVING count(*) = count(ending)
) ON event_id = id
WHERE subject LIKE 'training:%' AND next_at IS NOT NULL
"""
"""Of each event that is not its training's newest and is told to everybody: since when each of these is so."""

DAY: Final = (
    Act(2.0, "storm"),
    Act(2.2, "storm over"),
    Act(4.0, "chat away"),
    Act(7.0, "chat back"),
    Act(9.0, "restart"),
    Act(11.0, "api away"),
    Act(13.0, "api back"),
    Act(15.0, "clock 3 h ahead"),
    Act(15.2, "clock right"),
    Act(16.0, "clock 1 h back"),
    Act(16.2, "clock right"),
    Act(18.0, "crash"),
    Act(20.0, "storm"),
    Act(20.3, "storm over"),
    Act(21.0, "hook away"),
    Act(22.0, "hook back"),
)
ENDS: Final = ("restart", "crash")


@dataclass(frozen=True, slots=True, kw_only=True)
class LongSample(Sample):
    """What a daemon takes over days."""

    backups_megabytes: float
    events_kept: int
    overdue_hours: float
    """How long an event is kept, at most, that might be forgotten."""
    orphans: int
    """Deliveries and ledger entries of events that are forgotten."""


@dataclass(slots=True)
class LongSoak:
    """What came of it."""

    samples: list[LongSample]
    violated: list[str]
    events: int
    struck: int
    deadlines: int
    lives: int

    @property
    def growth_megabytes(self) -> float:
        """By how much the memory grew once it was warm."""
        return growth(sample.memory_megabytes for sample in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, and how densely."""

    hours: float
    interval_seconds: int = 30
    day_hours: float = DAY_HOURS
    """In how much time everything happens that happens in a day."""
    sample_minutes: float = 15.0
    change_seconds: tuple[float, float] = (10.0, 50.0)
    """Between two changes of whatever training."""
    keep_hours: float = DAY_HOURS
    """How long history is kept; less than a configuration may say, where it is less than a day."""
    maintenance_minutes: float = 60.0

    def acts(self) -> Iterator[Act]:
        """Return everything that happens, the archives and the end included."""
        days = range(int(self.hours // self.day_hours) + 1)
        acts = [Act((day + hour / DAY_HOURS) * self.day_hours, what) for day in days for hour, what in DAY]
        every = self.keep_hours / ARCHIVES
        acts += [Act(number * every, "archive") for number in range(1, int(self.hours / every) + 1)]
        yield from sorted(act for act in acts if act.hour < self.hours)
        yield Act(self.hours, "end")

    def settings(self) -> str:
        """Return the configuration."""
        watches = (WATCH.format(service=service, seconds=self.interval_seconds) for service in SERVICES)
        return CONFIG + "".join(watches)


def quick_place() -> Path | None:
    """Return where a folder is made whose files wait for no disk; days of commits would wait a quarter of an hour."""
    return IN_CACHE if os.access(IN_CACHE, os.W_OK) else None


def run(folder: Path, plan: Plan) -> LongSoak:
    """Soak the daemon for the plan's time, which is virtual, and judge it."""
    return virtual.run(lambda clock: _run(folder, plan, clock), threads=False)


async def _run(folder: Path, plan: Plan, clock: VirtualClock) -> LongSoak:
    draw = random.Random(72)  # noqa: S311 - what happens
    shown, arrived = virtual_daemon.Drawer(folder / "shown"), virtual_daemon.Drawer(folder / "arrived")
    world = virtual_daemon.VirtualNetwork(clock, drawer=shown)
    world.trainings = {(service, f"v{n}"): "requesting" for service in SERVICES for n in range(TRAININGS_EACH)}
    services = VirtualServices(world, draw, arrived)
    world.trouble = services.trouble
    samples: list[LongSample] = []
    rarely = mock.patch.object(maintenance, "EVERY_SECONDS", plan.maintenance_minutes * MINUTE)
    with virtual_daemon.lines_to(services.peers), virtual_daemon.logging_to(folder / "daemon.log"), rarely:
        async with _beside(_keep_changing(services, plan), _keep_sampling(folder, services, plan, samples)):
            await _live(folder, plan, services)
    announced, ledger = _everything(folder)
    everyone = frozenset({"hook", "chat"})
    evidence = Evidence(
        shown=list(shown.all()),
        lives=world.lives,
        announced=announced,
        received={"hook": list(arrived.all())},
        epoch=daemon_in_process.epoch(folder),
        ledger=ledger,
        routed=lambda _event: everyone,
        patience=timedelta(seconds=2 * plan.interval_seconds),
    )
    return LongSoak(
        samples=samples,
        violated=violations(evidence),
        events=len(announced),
        struck=services.struck,
        deadlines=services.deadlines,
        lives=len(world.lives),
    )


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError) and result is not None:
                raise result


async def _live(folder: Path, plan: Plan, services: VirtualServices) -> None:
    """Let one daemon follow the other through the acts."""
    acts = plan.acts()
    act = Act(0.0, "start")
    while act.what != "end":
        life: list[Act] = []
        for act in acts:
            life.append(act)
            if act.what in {*ENDS, "end"}:
                break
        in_order = act.what != "crash"
        kept = timedelta(hours=plan.keep_hours)
        living = virtual_daemon.living(
            folder, plan.settings(), services.world, ENVIRON, ends_in_order=in_order, keep_history=kept
        )
        async with living:
            for scene in life:
                await asyncio.sleep(max(0.0, scene.hour * HOUR - services.world.clock.monotonic()))
                await _play(folder, services, scene)
            if act.what == "end":
                await _settle(folder, services)


async def _play(folder: Path, services: VirtualServices, act: Act) -> None:
    fault_schedule, world = services.fault_schedule, services.world
    match act.what.split():
        case ["archive"]:
            _archive(folder, act.hour)
        case ["storm", *over]:
            fault_schedule.storm = not over
            _disturb(services, lasts=not over)
        case ["api", state]:
            fault_schedule.api_away = state == "away"
            _disturb(services, lasts=fault_schedule.api_away)
        case ["chat", state]:
            fault_schedule.chat_away = state == "away"
        case ["hook", state]:
            fault_schedule.hook_away = state == "away"
        case ["clock", "right"]:
            world.step_the_clock(timedelta())
            await asyncio.sleep(CALM_SECONDS)
            fault_schedule.calm = False
        case ["clock", hours, "h", way]:
            fault_schedule.calm = True
            await asyncio.sleep(CALM_SECONDS)
            world.step_the_clock(timedelta(hours=int(hours) * (1 if way == "ahead" else -1)))
            await asyncio.sleep(MINUTE)
        case _:
            _disturb(services, lasts=False)


def _disturb(services: VirtualServices, *, lasts: bool) -> None:
    """Count no wait that is not the daemon's doing."""
    services.world.quiet_since = float("inf") if lasts else services.world.clock.monotonic() + RECOVERY_SECONDS


async def _settle(folder: Path, services: VirtualServices) -> None:
    """Let nothing fail or change any more until everything is told."""
    services.fault_schedule.calm = services.fair = True
    async with asyncio.timeout(SETTLING.total_seconds()):
        await asyncio.sleep(CALM_SECONDS)
        while not all_delivered(folder):
            await asyncio.sleep(MINUTE)


async def _keep_changing(services: VirtualServices, plan: Plan) -> None:
    places = dict.fromkeys(services.world.trainings, 0)
    names = list(places)
    while True:
        await asyncio.sleep(services.draw.uniform(*plan.change_seconds))
        if not services.fault_schedule.calm:
            service, version = name = services.draw.choice(names)
            places[name] += 1
            life = LIVES[sum(map(ord, service + version)) % len(LIVES)]
            services.world.change(name, life[places[name] % len(life)])


async def _keep_sampling(folder: Path, services: VirtualServices, plan: Plan, samples: list[LongSample]) -> None:
    while True:
        await asyncio.sleep(plan.sample_minutes * MINUTE)
        late = max(0.0, services.world.take_longest_wait() - plan.interval_seconds)
        minute = services.world.clock.monotonic() / MINUTE
        taken = take_sample(os.getpid(), folder, minute, late, services.take_longest_delay())
        samples.append(
            LongSample(
                **{item.name: getattr(taken, item.name) for item in fields(taken)},
                backups_megabytes=sum(file.stat().st_size for file in (folder / "backups").iterdir()) / MEGABYTE,
                **_kept(folder, plan, services.world.clock.true_now()),
            )
        )


def _kept(folder: Path, plan: Plan, now: datetime) -> dict[str, Any]:
    """Return what the store still has of its history."""
    with closing(sqlite3.connect(folder / "watcher.db")) as connection:
        count, orphans = (connection.execute(question).fetchone()[0] for question in (COUNT, ORPHANS))
        over = connection.execute(OVER).fetchall()
    kept = timedelta(hours=plan.keep_hours)
    since = [max(from_text(recorded) + kept, from_text(next_at), from_text(ended)) for recorded, next_at, ended in over]
    overdue = (now - min(since, default=now)).total_seconds() / HOUR
    return {"events_kept": count, "strays": orphans, "overdue_hours": overdue}


def _archive(folder: Path, hour: float) -> None:
    """Keep a copy of the store as it is, before it forgets."""
    target = folder / f"archive-{hour:08.3f}.db"
    with closing(sqlite3.connect(folder / "watcher.db")) as store, closing(sqlite3.connect(target)) as copy:
        store.backup(copy)


def _everything(folder: Path) -> tuple[list[EventHistory], list[Entry]]:
    """Return every event and ledger entry that ever was in the store, as each was when last seen."""
    announced: dict[str, EventHistory] = {}
    entries: dict[tuple[str, str, str], Entry] = {}
    for store in [*sorted(folder.glob("archive-*.db")), folder / "watcher.db"]:
        with open_views(sqlite_url(store)) as views:
            announced |= {item.event.id: item for item in views.history(HistoryFilter(limit=1_000_000))}
        entries |= {entry[:3]: entry for entry in daemon_in_process.ledger(folder, store.name)}
    return list(announced.values()), list(entries.values())
