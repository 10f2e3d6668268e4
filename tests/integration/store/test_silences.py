"""Silences in a real store, applied by the real routing stage."""

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
from watcher.core.action import OF_SILENCES, ActionKind
from watcher.core.batch import Batch
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.messages.reasons import reason_text
from watcher.core.routing.matcher import ALL_KINDS, Matcher, matcher_of
from watcher.core.routing.routes import Route, Routes
from watcher.core.routing.silence import Silence
from watcher.pipeline.routing import Router
from watcher.store.actions import latest
from watcher.store.delivery.operator_actions import DeliveryRefusedError, OperatorActions
from watcher.store.delivery.views import DeliveryFilter, DeliveryView
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.silences import SilenceRefusedError, Silences
from watcher.store.sqlite.database import Database
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

HOUR = timedelta(hours=1)
EVERY_KIND = Matcher(kinds=frozenset({ALL_KINDS}))


class ManualClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def utc_now(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return 0.0


class CountingRenderer:
    """The rendering half of a receiver; it counts the events that it renders."""

    def __init__(self) -> None:
        self.sealed: list[str] = []

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        self.sealed.append(event.id)
        return f"{event.seq}:{receiver_seq}".encode()


class SilencedRouter:
    """The real routing stage on the real store, with a clock to set."""

    def __init__(self, database: Database, *, group_for: timedelta | None = None) -> None:
        self.database = database
        self.clock = ManualClock()
        self.hook = CountingRenderer()
        routes = Routes(routes=(Route(number=1, match=EVERY_KIND, to=("hook", "chat"), group_for=group_for),))
        receivers: Mapping[str, CountingRenderer] = {"hook": self.hook, "chat": CountingRenderer()}
        self.router = Router(Outbox(database), routes, receivers, self.clock, lambda: None)  # type: ignore[arg-type]

    async def route(self, *events: Event) -> None:
        await PollStore(self.database).record(Batch(events=events))
        await self.router.drain()

    async def silence(self, lasts: timedelta = HOUR, **words: str) -> Silence:
        match = matcher_of({"kind": ["*"]} | {key: [word] for key, word in words.items()})
        return await Silences(self.database).add(match, lasts, "mina", "moving the data", self.clock.now)


@pytest.fixture
def scenario(database: Database) -> SilencedRouter:
    return SilencedRouter(database)


def delivery_views(path: Path, *states: State, receiver: str = "hook") -> list[DeliveryView]:
    with open_views(sqlite_url(path)) as views:
        return views.deliveries(DeliveryFilter(states=frozenset(states or State), receiver=receiver))


async def test_a_silenced_event_is_recorded_for_each_receiver_and_sent_to_none(
    scenario: SilencedRouter, path: Path, make_event: MakeEvent
) -> None:
    silence = await scenario.silence(service="s")
    await scenario.route(make_event(1))
    for receiver in ("hook", "chat"):
        (delivery,) = delivery_views(path, receiver=receiver)
        assert (delivery.state, reason_text(delivery.reason), delivery.settled_at) == (State.SILENCED, silence.id, NOW)
        assert await claim(scenario.database, receiver=receiver, now=NOW + 100 * HOUR) == []
    assert scenario.hook.sealed == []
    with closing(sqlite3.connect(path)) as connection:
        ledger = connection.execute("SELECT receiver, ending, receiver_seq FROM ledger ORDER BY receiver").fetchall()
        bodies = connection.execute("SELECT body, next_at FROM delivery").fetchall()
        lines = connection.execute("SELECT * FROM line").fetchall()
    assert (ledger, bodies, lines) == ([("chat", "silenced", 1), ("hook", "silenced", 1)], [(None, None)] * 2, [])


async def test_an_event_after_the_silence_is_sent_with_a_number_that_shows_the_gap(
    scenario: SilencedRouter, make_event: MakeEvent
) -> None:
    await scenario.silence()
    await scenario.route(make_event(1))
    scenario.clock.now += HOUR
    await scenario.route(make_event(2))
    (leased,) = await claim(scenario.database, now=scenario.clock.now)
    assert leased.request.body == b"2:2"


async def test_a_silence_that_an_operator_ended_takes_no_event(
    scenario: SilencedRouter, path: Path, make_event: MakeEvent
) -> None:
    silence = await scenario.silence()
    scenario.clock.now += SECOND
    ended = await Silences(scenario.database).end(silence.id[:8], "jun", scenario.clock.now)
    assert (ended.ended_at, ended.ended_by) == (NOW + SECOND, "jun")
    await scenario.route(make_event(1))
    assert [delivery.state for delivery in delivery_views(path)] == [State.PENDING]
    with open_views(sqlite_url(path)) as views:
        assert views.silences(scenario.clock.now) == []
        assert views.every_silence() == [ended]


async def test_the_same_silence_within_ten_seconds_is_one(scenario: SilencedRouter, path: Path) -> None:
    first = await scenario.silence()
    scenario.clock.now += SECOND
    assert await scenario.silence() == first
    assert (await scenario.silence(2 * HOUR)).id != first.id
    assert (await scenario.silence(type="pop")).id != first.id
    scenario.clock.now += 10 * SECOND
    again = await scenario.silence()
    assert again.id != first.id
    await Silences(scenario.database).end(again.id, "jun", scenario.clock.now)
    assert (await scenario.silence()).id != again.id


async def test_a_silence_and_its_end_are_actions_with_their_authors(scenario: SilencedRouter, path: Path) -> None:
    silence = await scenario.silence()
    await scenario.silence()
    scenario.clock.now += SECOND
    await Silences(scenario.database).end(silence.id, "jun", scenario.clock.now)
    with open_views(sqlite_url(path)) as views:
        found = latest(views.connection, OF_SILENCES, 9)
    assert [(item.kind, item.target, item.author, item.at) for item in found] == [
        (ActionKind.END_SILENCE, silence.id, "jun", NOW + SECOND),
        (ActionKind.SILENCE, silence.id, "mina", NOW),
    ]


async def test_a_silence_does_not_affect_an_event_that_is_routed_already(
    scenario: SilencedRouter, path: Path, make_event: MakeEvent
) -> None:
    await scenario.route(make_event(1))
    await scenario.silence()
    await scenario.router.drain()
    assert [delivery.state for delivery in delivery_views(path)] == [State.PENDING]
    assert len(await claim(scenario.database)) == 1


async def test_other_services_and_failures_of_the_watcher_are_not_silenced(
    scenario: SilencedRouter, path: Path, make_event: MakeEvent
) -> None:
    await scenario.silence(service="another")
    await scenario.route(make_event(1))
    await scenario.silence()
    await scenario.route(make_event(2, kind=Kind.STORE_FAILING))
    assert [delivery.state for delivery in delivery_views(path)] == [State.PENDING] * 2


async def test_a_silenced_event_joins_no_group_and_delays_none(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    scenario = SilencedRouter(database, group_for=10 * SECOND)
    await scenario.route(make_event(1, "v1"))
    silence = await scenario.silence(version="v2")
    await scenario.route(make_event(1, "v2"), make_event(1, "v3"))
    assert [len(delivery.events) for delivery in delivery_views(path, State.PENDING)] == [2]
    assert [reason_text(delivery.reason) for delivery in delivery_views(path, State.SILENCED)] == [silence.id]


async def test_a_group_names_no_silenced_event_as_sent_on_its_own(
    scenario: SilencedRouter, make_event: MakeEvent
) -> None:
    await scenario.silence(version="v3")
    late = [replace(make_event(1, version), group="start 1", late=True) for version in ("v1", "v2")]
    await scenario.route(*late, replace(make_event(1, "v3", Kind.FAILED), group="start 1", late=True))
    await scenario.route(replace(make_event(1, "v4", Kind.FAILED), group="start 1", late=True))
    leased = await claim(scenario.database, now=NOW + HOUR)
    assert [event.version for item in leased for event in item.request.also] == ["v4"]


async def test_a_silenced_delivery_can_be_neither_retried_nor_dropped(
    scenario: SilencedRouter, path: Path, make_event: MakeEvent
) -> None:
    await scenario.silence()
    await scenario.route(make_event(1))
    (delivery,) = delivery_views(path)
    for change in (
        OperatorActions(scenario.database, {"hook", "chat"}).retry([delivery.id], "mina", NOW),
        OperatorActions(scenario.database, {"hook", "chat"}).drop([delivery.id], "m", NOW),
    ):
        with pytest.raises(DeliveryRefusedError, match="was silenced"):
            await change


@pytest.mark.parametrize("beginning", ["sil_nothing", "", "sil_", "%"])
async def test_an_id_without_exactly_one_silence_ends_nothing(
    scenario: SilencedRouter, path: Path, beginning: str
) -> None:
    both = {(await scenario.silence()).id, (await scenario.silence(type="pop")).id}
    with pytest.raises(SilenceRefusedError):
        await Silences(scenario.database).end(beginning, "mina", NOW)
    with open_views(sqlite_url(path)) as views:
        assert {item.id for item in views.silences(NOW)} == both


async def test_an_ended_silence_cannot_be_ended_again(scenario: SilencedRouter) -> None:
    silence = await scenario.silence()
    with pytest.raises(SilenceRefusedError, match="is over since"):
        await Silences(scenario.database).end(silence.id, "mina", NOW + HOUR)


async def test_a_silence_is_pruned_with_the_history_but_not_while_a_delivery_names_it(
    scenario: SilencedRouter, path: Path, make_event: MakeEvent
) -> None:
    await scenario.silence(lasts=SECOND, service="another")
    named = await scenario.silence(lasts=SECOND)
    await scenario.route(make_event(1))
    await Retention(scenario.database).prune(NOW + HOUR)
    with open_views(sqlite_url(path)) as views:
        assert views.every_silence() == [named]
    scenario.clock.now += HOUR
    await scenario.route(make_event(2))
    await Retention(scenario.database).prune(NOW + HOUR)
    with open_views(sqlite_url(path)) as views:
        assert views.every_silence() == []
