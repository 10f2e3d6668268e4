"""Days of watching five hundred trainings on virtual time: growth, pruning and lateness."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

from tests.support import daemon_in_process, virtual, virtual_daemon
from tests.support.accounts import account_table
from tests.support.changing_trainings import STATUS_SEQUENCES, all_delivered
from tests.support.invariants import Evidence, LedgerEntry, violations
from tests.support.soak import MEGABYTE, SERVICES, TRAININGS_EACH, Sample, growth, take_sample
from tests.support.virtual import VirtualClock
from tests.support.virtual_services import VirtualServices
from watcher.core.timestamps import from_text
from watcher.pipeline import maintenance
from watcher.store.url import sqlite_url
from watcher.store.views import EventHistory, HistoryFilter, open_views

IN_CACHE: Final = Path("/dev/shm")  # noqa: S108 - the test makes its own folder there
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY_HOURS: Final = 24.0
ARCHIVES: Final = 8
"""The number of archives within ``keep_history``, so that no event is pruned before the checker has its end.

Pending deliveries must end well before their events may be pruned, hence the short ``max_retry``.
"""
SETTLING: Final = timedelta(hours=6)
PAUSE_SECONDS: Final = 600.0
"""The pause of changes before and after a wrong wall clock, whose times mean nothing."""
RECOVERY_SECONDS: Final = 1200.0
"""The longest requested pause or back-off after an outage."""

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


class Action(NamedTuple):
    """One action in the course of a day."""

    hour: float
    name: str


COUNT: Final = "SELECT count(*) FROM event"
ORPHANS: Final = """
SELECT (SELECT count(*) FROM ledger WHERE event_id NOT IN (SELECT id FROM event))
     + (SELECT count(*) FROM delivery WHERE id NOT IN (SELECT delivery_id FROM ledger))
"""
PRUNABLE: Final = """
SELECT recorded_at, next_at, ended_at FROM (
    SELECT id, subject, recorded_at, lead(recorded_at) OVER (PARTITION BY subject ORDER BY position) AS next_at
    FROM event
) JOIN (
    SELECT event_id, max(ended_at) AS ended_at FROM ledger GROUP BY event_id HAVING count(*) = count(ending)
) ON event_id = id
WHERE subject LIKE 'training:%' AND next_at IS NOT NULL
"""
"""For each event with a newer one of its training and with only ended deliveries: the times of both."""

DAY: Final = (
    Action(2.0, "throttling"),
    Action(2.2, "throttling over"),
    Action(4.0, "chat away"),
    Action(7.0, "chat back"),
    Action(9.0, "restart"),
    Action(11.0, "api away"),
    Action(13.0, "api back"),
    Action(15.0, "clock 3 h ahead"),
    Action(15.2, "clock right"),
    Action(16.0, "clock 1 h back"),
    Action(16.2, "clock right"),
    Action(18.0, "crash"),
    Action(20.0, "throttling"),
    Action(20.3, "throttling over"),
    Action(21.0, "hook away"),
    Action(22.0, "hook back"),
)
ENDS: Final = ("restart", "crash")


@dataclass(frozen=True, slots=True, kw_only=True)
class LongSample(Sample):
    """Measurements of a daemon over days."""

    backups_megabytes: float
    events_kept: int
    overdue_hours: float
    """The longest time that a prunable event is kept."""
    orphans: int
    """Deliveries and ledger entries of pruned events."""


@dataclass(slots=True)
class LongSoak:
    """The results of a soak."""

    samples: list[LongSample]
    violated: list[str]
    events: int
    struck: int
    heartbeats: int
    runs: int

    @property
    def growth_megabytes(self) -> float:
        """The memory growth after the warm-up."""
        return growth(sample.memory_megabytes for sample in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The length and the density of a soak."""

    hours: float
    interval_seconds: int = 30
    day_hours: float = DAY_HOURS
    """The time for the actions of one day."""
    sample_minutes: float = 15.0
    change_seconds: tuple[float, float] = (10.0, 50.0)
    """The time between two changes of any trainings."""
    keep_hours: float = DAY_HOURS
    """The time for which history is kept; the configuration itself allows no less than a day."""
    maintenance_minutes: float = 60.0
    sweep_seconds: float = 10.0
    """The time between two sweeps of the store by each stage; the default is that of the program."""

    def actions(self) -> Iterator[Action]:
        """Yield all actions, with the archives and the end."""
        days = range(int(self.hours // self.day_hours) + 1)
        actions = [Action((day + hour / DAY_HOURS) * self.day_hours, name) for day in days for hour, name in DAY]
        every = self.keep_hours / ARCHIVES
        actions += [Action(number * every, "archive") for number in range(1, int(self.hours / every) + 1)]
        yield from sorted(action for action in actions if action.hour < self.hours)
        yield Action(self.hours, "end")

    def settings(self) -> str:
        """Return the configuration."""
        watches = (WATCH.format(service=service, seconds=self.interval_seconds) for service in SERVICES)
        return CONFIG + account_table("https://api.example/api/v1") + "".join(watches)


def memory_folder() -> Path | None:
    """Return a folder in memory, or ``None``; on a disk, days of commits would take a quarter of an hour."""
    return IN_CACHE if os.access(IN_CACHE, os.W_OK) else None


def run(folder: Path, plan: Plan) -> LongSoak:
    """Soak the daemon for the plan's virtual time, and check the result."""
    return virtual.run(lambda clock: _run(folder, plan, clock), sweep_seconds=plan.sweep_seconds)


async def _run(folder: Path, plan: Plan, clock: VirtualClock) -> LongSoak:
    draw = random.Random(72)  # noqa: S311 - test data
    shown, arrived = virtual_daemon.PickleLog(folder / "shown"), virtual_daemon.PickleLog(folder / "arrived")
    api = virtual_daemon.VirtualNetwork(clock, answer_log=shown)
    api.trainings = {(service, f"v{n}"): "requesting" for service in SERVICES for n in range(TRAININGS_EACH)}
    services = VirtualServices(api, draw, arrived)
    api.fault = services.fault_answer
    samples: list[LongSample] = []
    maintenance_interval = mock.patch.object(maintenance, "EVERY_SECONDS", plan.maintenance_minutes * MINUTE)
    with (
        virtual_daemon.connect_clients_to(services.peers),
        virtual_daemon.log_to_file(folder / "daemon.log"),
        maintenance_interval,
    ):
        async with _in_background(_keep_changing(services, plan), _keep_sampling(folder, services, plan, samples)):
            await _run_daemons(folder, plan, services)
    history = _all_history(folder)
    receivers = frozenset({"hook", "chat"})
    evidence = Evidence(
        shown=list(shown.read_all()),
        runs=api.runs,
        announced=list(history.announced.values()),
        received={"hook": list(arrived.read_all())},
        epoch=daemon_in_process.epoch(folder),
        ledger=list(itertools.chain.from_iterable(history.entries.values())),
        routed=lambda event: receivers if event.receiver is None else receivers - {event.receiver.name},
        repeats_left_out=True,
        patience=timedelta(seconds=2 * plan.interval_seconds),
    )
    return LongSoak(
        samples=samples,
        violated=[*violations(evidence), *history.changed],
        events=len(history.announced),
        struck=services.struck,
        heartbeats=services.heartbeats,
        runs=len(api.runs),
    )


@asynccontextmanager
async def _in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError) and result is not None:
                raise result


async def _run_daemons(folder: Path, plan: Plan, services: VirtualServices) -> None:
    """Run one daemon after the other through the actions."""
    actions = plan.actions()
    action = Action(0.0, "start")
    while action.name != "end":
        until_end: list[Action] = []
        for action in actions:
            until_end.append(action)
            if action.name in {*ENDS, "end"}:
                break
        kept = timedelta(hours=plan.keep_hours)
        running = virtual_daemon.running(
            folder, plan.settings(), services.api, ENVIRON, graceful=action.name != "crash", keep_history=kept
        )
        async with running:
            for step in until_end:
                await asyncio.sleep(max(0.0, step.hour * HOUR - services.api.clock.monotonic()))
                await _execute(folder, services, step)
            if action.name == "end":
                await _settle(folder, services)


async def _execute(folder: Path, services: VirtualServices, action: Action) -> None:
    fault_schedule, api = services.fault_schedule, services.api
    match action.name.split():
        case ["archive"]:
            _archive(folder, action.hour)
        case ["throttling", *over]:
            fault_schedule.throttling = not over
            _exclude_waits(services, lasts=not over)
        case ["api", state]:
            fault_schedule.api_away = state == "away"
            _exclude_waits(services, lasts=fault_schedule.api_away)
        case ["chat", state]:
            fault_schedule.chat_away = state == "away"
        case ["hook", state]:
            fault_schedule.hook_away = state == "away"
        case ["clock", "right"]:
            api.step_clock(timedelta())
            await asyncio.sleep(PAUSE_SECONDS)
            fault_schedule.changes_paused = False
        case ["clock", hours, "h", way]:
            fault_schedule.changes_paused = True
            await asyncio.sleep(PAUSE_SECONDS)
            api.step_clock(timedelta(hours=int(hours) * (1 if way == "ahead" else -1)))
            await asyncio.sleep(MINUTE)
        case _:
            _exclude_waits(services, lasts=False)


def _exclude_waits(services: VirtualServices, *, lasts: bool) -> None:
    """Exclude waits that an outage causes from the measured lateness."""
    services.api.waits_count_from = float("inf") if lasts else services.api.clock.monotonic() + RECOVERY_SECONDS


async def _settle(folder: Path, services: VirtualServices) -> None:
    """Stop all faults and changes, and wait until every delivery has ended."""
    services.fault_schedule.changes_paused = services.faults_off = True
    # A short plan can end during an absence.
    services.fault_schedule.chat_away = services.fault_schedule.hook_away = False
    async with asyncio.timeout(SETTLING.total_seconds()):
        await asyncio.sleep(PAUSE_SECONDS)
        while not all_delivered(folder):
            await asyncio.sleep(MINUTE)


async def _keep_changing(services: VirtualServices, plan: Plan) -> None:
    positions = dict.fromkeys(services.api.trainings, 0)
    names = list(positions)
    while True:
        await asyncio.sleep(services.draw.uniform(*plan.change_seconds))
        if not services.fault_schedule.changes_paused:
            service, version = name = services.draw.choice(names)
            positions[name] += 1
            statuses = STATUS_SEQUENCES[sum(map(ord, service + version)) % len(STATUS_SEQUENCES)]
            services.api.set_status(name, statuses[positions[name] % len(statuses)])


async def _keep_sampling(folder: Path, services: VirtualServices, plan: Plan, samples: list[LongSample]) -> None:
    while True:
        await asyncio.sleep(plan.sample_minutes * MINUTE)
        late = max(0.0, services.api.take_longest_wait() - plan.interval_seconds)
        minute = services.api.clock.monotonic() / MINUTE
        sample = take_sample(os.getpid(), folder, minute, late, services.take_longest_delay())
        samples.append(
            LongSample(
                **{item.name: getattr(sample, item.name) for item in fields(sample)},
                backups_megabytes=sum(file.stat().st_size for file in (folder / "backups").iterdir()) / MEGABYTE,
                **_kept(folder, plan, services.api.clock.true_now()),
            )
        )


def _kept(folder: Path, plan: Plan, now: datetime) -> dict[str, Any]:
    """Measure the history in the store."""
    with closing(sqlite3.connect(folder / "watcher.db")) as connection:
        count, orphans = (connection.execute(query).fetchone()[0] for query in (COUNT, ORPHANS))
        prunable = connection.execute(PRUNABLE).fetchall()
    kept = timedelta(hours=plan.keep_hours)
    since = [
        max(from_text(recorded) + kept, from_text(next_at), from_text(ended)) for recorded, next_at, ended in prunable
    ]
    overdue = (now - min(since, default=now)).total_seconds() / HOUR
    return {"events_kept": count, "orphans": orphans, "overdue_hours": overdue}


def _archive(folder: Path, hour: float) -> None:
    """Copy the store before it prunes its history."""
    target = folder / f"archive-{hour:08.3f}.db"
    with closing(sqlite3.connect(folder / "watcher.db")) as store, closing(sqlite3.connect(target)) as copy:
        store.backup(copy)


@dataclass(slots=True)
class _History:
    """The contents of successive copies of one store."""

    announced: dict[str, EventHistory] = field(default_factory=dict)
    """Every event in its latest state."""
    entries: dict[str, list[LedgerEntry]] = field(default_factory=dict)
    """The latest entries of each event: until it is sent, an entry may move to another, joined message."""
    changed: list[str] = field(default_factory=list)
    """Every entry that changed after its end."""

    def add(self, announced: Iterable[EventHistory], ledger: Iterable[LedgerEntry]) -> None:
        """Add a later copy, which replaces everything about its events; the others are pruned."""
        self.announced |= {item.event.id: item for item in announced}
        copied: dict[str, list[LedgerEntry]] = defaultdict(list)
        for entry in ledger:
            copied[entry.event_id].append(entry)
        ended = (entry for event in copied for entry in self.entries.get(event, ()) if entry.ending is not None)
        self.changed += [f"{old} changed after its end" for old in ended if old not in copied[old.event_id]]
        self.entries |= copied


def _all_history(folder: Path) -> _History:
    """Return every event and ledger entry of all archives."""
    history = _History()
    for store in [*sorted(folder.glob("archive-*.db")), folder / "watcher.db"]:
        with open_views(sqlite_url(store)) as views:
            history.add(views.history(HistoryFilter(limit=1_000_000)), daemon_in_process.ledger(folder, store.name))
    return history
