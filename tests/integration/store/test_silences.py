"""Silences in a real store, under the real routing stage."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import MakeEvent, claim
from watcher.core.batch import Batch
from watcher.core.delivery.model import State
from watcher.core.event import Event, Kind
from watcher.core.routing.matcher import ALL_KINDS, Matcher, matcher_of
from watcher.core.routing.routes import Route, Routes
from watcher.core.routing.silence import Silence
from watcher.pipeline.routing import Router
from watcher.store.delivery_views import DeliveryFilter, DeliveryView
from watcher.store.operator_actions import DeliveryRefusedError, OperatorActions
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.silences import SilenceRefusedError, Silences
from watcher.store.sqlite.database import Database
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

HOUR = timedelta(hours=1)
EVERY_KIND = Matcher(kinds=frozenset({ALL_KINDS}))


class Hands:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = NOW

    def utc_now(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return 0.0


class Sealing:
    """What a receiver is to the routing stage; it counts what it was given to seal."""

    def __init__(self) -> None:
        self.sealed: list[str] = []

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        self.sealed.append(event.id)
        return f"{event.seq}:{receiver_seq}".encode()


class Desk:
    """The real routing stage on the real store."""

    def __init__(self, database: Database, *, group_for: timedelta | None = None) -> None:
        self.database = database
        self.clock = Hands()
        self.hook = Sealing()
        routes = Routes(routes=(Route(number=1, match=EVERY_KIND, to=("hook", "chat"), group_for=group_for),))
        receivers: Mapping[str, Sealing] = {"hook": self.hook, "chat": Sealing()}
        self.router = Router(Outbox(database), routes, receivers, self.clock, lambda: None)  # type: ignore[arg-type]

    async def route(self, *events: Event) -> None:
        await PollStore(self.database).record(Batch(events=events))
        await self.router.drain()

    async def silence(self, lasts: timedelta = HOUR, **words: str) -> Silence:
        match = matcher_of({"kind": ["*"]} | {key: [word] for key, word in words.items()})
        return await Silences(self.database).add(match, lasts, "mina", "moving the data", self.clock.now)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def delivery_views(path: Path, *states: State, receiver: str = "hook") -> list[DeliveryView]:
    with open_views(sqlite_url(path)) as views:
        return views.deliveries(DeliveryFilter(states=frozenset(states or State), receiver=receiver))


async def test_what_a_silence_takes_is_recorded_at_each_receiver_and_sent_to_none(
    desk: Desk, path: Path, make_event: MakeEvent
) -> None:
    silence = await desk.silence(service="s")
    await desk.route(make_event(1))
    for receiver in ("hook", "chat"):
        (delivery,) = delivery_views(path, receiver=receiver)
        assert (delivery.state, delivery.reason, delivery.settled_at) == (State.SILENCED, silence.id, NOW)
        assert await claim(desk.database, receiver=receiver, now=NOW + 100 * HOUR) == []
    assert desk.hook.sealed == []
    with closing(sqlite3.connect(path)) as connection:
        ledger = connection.execute("SELECT receiver, ending, receiver_seq FROM ledger ORDER BY receiver").fetchall()
        bodies = connection.execute("SELECT body, next_at FROM delivery").fetchall()
        lines = connection.execute("SELECT * FROM line").fetchall()
    assert (ledger, bodies, lines) == ([("chat", "silenced", 1), ("hook", "silenced", 1)], [(None, None)] * 2, [])


async def test_what_comes_after_its_end_is_announced_with_a_number_that_shows_the_gap(
    desk: Desk, make_event: MakeEvent
) -> None:
    await desk.silence()
    await desk.route(make_event(1))
    desk.clock.now += HOUR
    await desk.route(make_event(2))
    (leased,) = await claim(desk.database, now=desk.clock.now)
    assert leased.request.body == b"2:2"


async def test_one_that_is_ended_by_hand_takes_nothing_more(desk: Desk, path: Path, make_event: MakeEvent) -> None:
    silence = await desk.silence()
    desk.clock.now += SECOND
    ended = await Silences(desk.database).end(silence.id[:8], "jun", desk.clock.now)
    assert (ended.ended_at, ended.ended_by) == (NOW + SECOND, "jun")
    await desk.route(make_event(1))
    assert [delivery.state for delivery in delivery_views(path)] == [State.PENDING]
    with open_views(sqlite_url(path)) as views:
        assert views.silences(desk.clock.now) == []
        assert views.every_silence() == [ended]


async def test_one_that_starts_after_an_event_was_routed_changes_nothing(
    desk: Desk, path: Path, make_event: MakeEvent
) -> None:
    await desk.route(make_event(1))
    await desk.silence()
    await desk.router.drain()
    assert [delivery.state for delivery in delivery_views(path)] == [State.PENDING]
    assert len(await claim(desk.database)) == 1


async def test_another_service_and_failure_with_the_watcher_itself_are_announced(
    desk: Desk, path: Path, make_event: MakeEvent
) -> None:
    await desk.silence(service="another")
    await desk.route(make_event(1))
    await desk.silence()
    await desk.route(make_event(2, kind=Kind.STORE_FAILING))
    assert [delivery.state for delivery in delivery_views(path)] == [State.PENDING] * 2


async def test_a_silenced_event_joins_no_group_and_holds_none_up(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    desk = Desk(database, group_for=10 * SECOND)
    await desk.route(make_event(1, "v1"))
    silence = await desk.silence(version="v2")
    await desk.route(make_event(1, "v2"), make_event(1, "v3"))
    assert [len(delivery.events) for delivery in delivery_views(path, State.PENDING)] == [2]
    assert [delivery.reason for delivery in delivery_views(path, State.SILENCED)] == [silence.id]


async def test_a_group_does_not_name_what_was_silenced_as_announced_by_itself(
    desk: Desk, make_event: MakeEvent
) -> None:
    await desk.silence(version="v3")
    late = [replace(make_event(1, version), group="start 1", late=True) for version in ("v1", "v2")]
    await desk.route(*late, replace(make_event(1, "v3", Kind.FAILED), group="start 1", late=True))
    await desk.route(replace(make_event(1, "v4", Kind.FAILED), group="start 1", late=True))
    leased = await claim(desk.database, now=NOW + HOUR)
    assert [event.version for item in leased for event in item.request.also] == ["v4"]


async def test_what_is_silenced_is_neither_sent_again_nor_dropped_by_hand(
    desk: Desk, path: Path, make_event: MakeEvent
) -> None:
    await desk.silence()
    await desk.route(make_event(1))
    (delivery,) = delivery_views(path)
    for change in (
        OperatorActions(desk.database, {"hook", "chat"}).retry([delivery.id], NOW),
        OperatorActions(desk.database, {"hook", "chat"}).drop([delivery.id], "m", NOW),
    ):
        with pytest.raises(DeliveryRefusedError, match="was silenced"):
            await change


@pytest.mark.parametrize("beginning", ["sil_nothing", "", "sil_", "%"])
async def test_an_id_that_names_none_or_several_ends_nothing(desk: Desk, path: Path, beginning: str) -> None:
    both = {(await desk.silence()).id, (await desk.silence()).id}
    with pytest.raises(SilenceRefusedError):
        await Silences(desk.database).end(beginning, "mina", NOW)
    with open_views(sqlite_url(path)) as views:
        assert {item.id for item in views.silences(NOW)} == both


async def test_one_that_is_over_cannot_be_ended_again(desk: Desk) -> None:
    silence = await desk.silence()
    with pytest.raises(SilenceRefusedError, match="is over since"):
        await Silences(desk.database).end(silence.id, "mina", NOW + HOUR)


async def test_it_is_pruned_with_the_history_but_not_while_a_delivery_names_it(
    desk: Desk, path: Path, make_event: MakeEvent
) -> None:
    await desk.silence(lasts=SECOND, service="another")
    named = await desk.silence(lasts=SECOND)
    await desk.route(make_event(1))
    await Retention(desk.database).prune(NOW + HOUR)
    with open_views(sqlite_url(path)) as views:
        assert views.every_silence() == [named]
    desk.clock.now += HOUR
    await desk.route(make_event(2))
    await Retention(desk.database).prune(NOW + HOUR)
    with open_views(sqlite_url(path)) as views:
        assert views.every_silence() == []
