"""In any order of routes, groups and attempts: a receiver gets each event once, each training's in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.store.conftest import NOW
from tests.support import routing
from watcher.core.batch import Batch
from watcher.core.delivery.model import Claim, Settlement, Verdict
from watcher.core.delivery.reason import DELIVERED, text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind, event_id
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.routes import Route, route_event
from watcher.core.training.model import TrainingRef
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database

RECEIVERS = ("a", "b")
KINDS = (Kind.PROGRESS, Kind.SUCCEEDED, Kind.FAILED, Kind.GONE)
LEASE = timedelta(minutes=2)
END = timedelta(days=1)


@dataclass(slots=True)
class Table:
    """A store in which time passes step by step, and the events that the receivers got."""

    database: Database
    routes: tuple[Route, ...]
    now: datetime = NOW
    seqs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    planned: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    got: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))

    async def happen(self, version: str, kind: Kind, *, late: bool) -> None:
        """Record one event and route it."""
        ref = TrainingRef("main", "s", "pop", version)
        self.seqs[version] += 1
        seq = self.seqs[version]
        event = Event(
            id=event_id("e1", ref.subject, seq),
            kind=kind,
            subject=ref.subject,
            seq=seq,
            reason="moved-forward",
            account=ref.account,
            service=ref.service,
            training_type=ref.type,
            version=version,
            from_status="waiting",
            to_status="learning",
            after=self.now,
            before=self.now,
            recorded_at=self.now,
            group="inc_1" if late else None,
        )
        await PollStore(self.database).record(Batch(events=(event,)))
        outbox = Outbox(self.database)
        plans = [
            (announced, route_event(announced, self.routes, recent, 4))
            for announced, recent in await outbox.unrouted(9)
        ]
        for announced, made in plans:
            for receiver in made.receivers:
                self.planned[receiver].append((str(announced.version), announced.seq))
        await routing.enqueue(outbox, plans, lambda *_: b"", self.now)

    async def attempt(self, receiver: str, *, passes: bool) -> bool:
        """Make one attempt at a due delivery; return whether there was one."""
        claim = Claim(receiver=receiver, limit=1, token="t", lease=LEASE)
        batch = await Deliveries(self.database).claim(claim, self.now)
        for leased in batch:
            verdict = Verdict(state=State.DELIVERED, reason=DELIVERED)
            if not passes:
                verdict = Verdict(
                    state=State.PENDING, reason=text_reason("http 503"), next_at=self.now + timedelta(seconds=5)
                )
            assert await Deliveries(self.database).settle(leased, Settlement(verdict=verdict, at=self.now))
            if passes:
                self.got[receiver] += [(str(event.version), event.seq) for event in leased.request.events]
        return bool(batch)

    async def end(self) -> None:
        """Deliver everything that still waits."""
        self.now += END
        for receiver in RECEIVERS:
            while await self.attempt(receiver, passes=True):
                pass


happenings = st.tuples(st.just("event"), st.sampled_from(["v1", "v2"]), st.sampled_from(KINDS), st.booleans())
attempts = st.tuples(st.just("attempt"), st.sampled_from(RECEIVERS), st.booleans(), st.none())
waits = st.tuples(st.just("wait"), st.sampled_from([1, 10, 40, 130]), st.none(), st.none())
releases = st.tuples(st.just("release"), st.sampled_from([None, "inc_1", "route 1"]), st.none(), st.none())
kinds_drawn = st.just(frozenset({"*"})) | st.sets(st.sampled_from(KINDS), min_size=1).map(frozenset)
routes_drawn = st.lists(
    st.builds(
        Route,
        number=st.just(0),
        match=st.builds(Matcher, kinds=kinds_drawn),
        to=st.sampled_from([(), ("a",), ("b",), ("a", "b")]),
        continues=st.booleans(),
        group_for=st.none() | st.sampled_from([timedelta(seconds=30), timedelta(seconds=120)]),
    ),
    min_size=1,
    max_size=3,
).map(lambda routes: tuple(replace(route, number=number) for number, route in enumerate(routes, start=1)))
steps_drawn = st.lists(happenings | happenings | happenings | attempts | waits | releases, min_size=8, max_size=25)


@settings(deadline=None, max_examples=30)
@given(routes=routes_drawn, steps=steps_drawn)
def test_every_event_arrives_once_and_a_trainings_in_their_order(
    routes: tuple[Route, ...], steps: list[tuple[str, object, object, object]]
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), routes, steps))


async def _play(folder: Path, routes: tuple[Route, ...], steps: list[tuple[str, object, object, object]]) -> None:
    database = open_database(folder / "watcher.db", purpose="test", now=NOW)
    try:
        table = Table(database, routes)
        for step in steps:
            await _step(table, *step)
        await table.end()
    finally:
        database.close()
    for receiver in RECEIVERS:
        assert sorted(table.got[receiver]) == sorted(table.planned[receiver])
        for version in ("v1", "v2"):
            announced = [seq for of, seq in table.got[receiver] if of == version]
            assert announced == sorted(announced), f"{receiver} got {version} out of order"


async def _step(table: Table, what: str, first: object, second: object, third: object) -> None:
    match what:
        case "event":
            assert isinstance(second, Kind)
            await table.happen(str(first), second, late=bool(third))
        case "attempt":
            await table.attempt(str(first), passes=bool(second))
        case "wait":
            assert isinstance(first, int)
            table.now += timedelta(seconds=first)
        case _:
            await Outbox(table.database).release(None if first is None else str(first), table.now)
