"""What a person does about deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import MakeEvent, claim, enqueue, settle
from watcher.core.delivery.model import PARKED_RETRY, ReceiverSignal, Settlement, SignalKind, State, Verdict
from watcher.core.event import Kind
from watcher.core.routing.reason import NotAnnounced, RoutingCode, RoutingReason, routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.store.deliveries import Deliveries
from watcher.store.delivery_views import DeliveryFilter, DeliveryView
from watcher.store.operator_actions import RETRIED, DeliveryRefusedError, OperatorActions
from watcher.store.outbox import Outbox
from watcher.store.sqlite.database import Database
from watcher.store.unannounced import Unheard
from watcher.store.views import open_views

LATER = NOW + 60 * SECOND


def listed(path: Path, **wanted: object) -> list[DeliveryView]:
    with open_views(path) as views:
        return views.deliveries(DeliveryFilter(**wanted))  # type: ignore[arg-type]  # as the test says


async def dead(database: Database, make_event: MakeEvent, seq: int = 1) -> str:
    await enqueue(database, make_event(seq))
    (leased,) = await claim(database)
    await settle(database, leased, State.DEAD, reason="http 400")
    return leased.request.delivery_id


async def test_a_dead_letter_is_sent_again_with_its_time_begun_anew(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    (change,) = await OperatorActions(database, {"hook", "chat"}).retry([identity[:12]], LATER)
    assert (change.id, change.before, change.after) == (identity, State.DEAD, State.PENDING)
    (delivery,) = listed(path)
    assert (delivery.state, delivery.reason, delivery.attempts, delivery.created_at) == (
        State.PENDING,
        RETRIED,
        0,
        LATER,
    )
    (again,) = await claim(database, now=LATER)
    assert (again.request.delivery_id, again.request.body, again.request.may_be_repeat) == (
        identity,
        b"hook:1:1",
        False,
    )
    await settle(database, again)
    assert listed(path) == []


async def test_a_retry_goes_out_of_order_and_blocks_no_line(database: Database, make_event: MakeEvent) -> None:
    first = await dead(database, make_event)
    await enqueue(database, make_event(2))
    await OperatorActions(database, {"hook", "chat"}).retry([first], NOW)
    assert [leased.request.events[0].seq for leased in await claim(database)] == [1, 2]


async def test_what_is_held_stays_a_possible_repeat(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    await settle(database, leased, State.HELD, may_be_repeat=True)
    await OperatorActions(database, {"hook", "chat"}).retry([leased.request.delivery_id], NOW)
    (again,) = await claim(database)
    assert (again.request.may_be_repeat, again.request.attempt) == (True, 1)


async def test_every_dead_letter_of_one_receiver_is_sent_again(database: Database, make_event: MakeEvent) -> None:
    ids = {await dead(database, make_event, seq) for seq in (1, 2, 3)}
    assert await OperatorActions(database, {"hook", "chat"}).retry_all_dead("chat", NOW) == []
    assert {
        change.id for change in await OperatorActions(database, {"hook", "chat"}).retry_all_dead("hook", NOW)
    } == ids


async def test_what_is_dropped_is_over_and_says_by_whom(database: Database, path: Path, make_event: MakeEvent) -> None:
    identity = await dead(database, make_event)
    await enqueue(database, make_event(2))
    (waiting,) = listed(path, states=frozenset({State.PENDING}))
    await OperatorActions(database, {"hook", "chat"}).drop([identity, waiting.id], "mina", NOW)
    dropped = listed(path, states=frozenset({State.DROPPED}))
    assert [delivery.reason for delivery in dropped] == ["dropped by mina"] * 2
    assert await claim(database) == []
    await enqueue(database, make_event(3))
    assert len(await claim(database)) == 1


@pytest.mark.parametrize("beginning", ["msg_nothing", "", "msg_", "%"])
async def test_an_id_that_names_none_or_several_changes_nothing(
    database: Database, path: Path, make_event: MakeEvent, beginning: str
) -> None:
    known = await dead(database, make_event)
    await dead(database, make_event, 2)
    with pytest.raises(DeliveryRefusedError):
        await OperatorActions(database, {"hook", "chat"}).retry([known, beginning], NOW)
    assert {delivery.state for delivery in listed(path)} == {State.DEAD}


async def test_what_is_delivered_dropped_or_under_way_is_left_alone(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    with pytest.raises(DeliveryRefusedError, match="being sent at this moment"):
        await OperatorActions(database, {"hook", "chat"}).drop([leased.request.delivery_id], "mina", NOW)
    await settle(database, leased)
    with pytest.raises(DeliveryRefusedError, match="was delivered"):
        await OperatorActions(database, {"hook", "chat"}).retry([leased.request.delivery_id], NOW)


ROUTE_1 = routed(1)


async def route_news(database: Database, to: tuple[str, ...] = (), reason: RoutingReason = ROUTE_1) -> None:
    news = [event for event, _ in await Outbox(database).unrouted(9)]
    recipients = tuple(Recipient(receiver=name) for name in to)
    plans = [(event, RoutingDecision(to=recipients, reason=reason)) for event in news]
    await Outbox(database).enqueue(plans, lambda *_: b"", NOW)


async def refused(database: Database, make_event: MakeEvent, seq: int = 1, at: datetime = NOW) -> None:
    await enqueue(database, make_event(seq))
    (leased,) = await claim(database)
    signal = ReceiverSignal(health=SignalKind.REFUSES, reason="http 410", answer="410")
    verdict = Verdict(state=State.PENDING, reason="http 410", next_at=NOW)
    assert await Deliveries(database).settle(leased, Settlement(verdict=verdict, at=at, signal=signal))


async def recovered(database: Database, at: datetime) -> None:
    (leased,) = await claim(database, now=at)
    verdict = Verdict(state=State.DELIVERED, reason="delivered")
    settlement = Settlement(verdict=verdict, at=at, signal=ReceiverSignal(health=SignalKind.PASSES))
    assert await Deliveries(database).settle(leased, settlement)


async def test_a_broken_receiver_that_nobody_hears_of_is_what_nobody_could_be_announced(
    database: Database, make_event: MakeEvent
) -> None:
    await refused(database, make_event)
    await route_news(database, reason=replace(ROUTE_1, not_announced=NotAnnounced.NO_OTHER))
    (news,) = await Unheard(database).unannounced()
    assert (news.event.kind, news.reason) == (Kind.RECEIVER_FAILING, NotAnnounced.NO_OTHER)


async def test_a_receiver_that_breaks_after_the_clock_was_set_back_is_one_that_nobody_hears_of(
    database: Database, make_event: MakeEvent
) -> None:
    ahead = NOW + timedelta(days=3)
    await refused(database, make_event, at=ahead)
    await recovered(database, at=ahead + PARKED_RETRY)
    await refused(database, make_event, seq=2)
    await route_news(database, reason=replace(ROUTE_1, not_announced=NotAnnounced.NO_OTHER))
    (news,) = await Unheard(database).unannounced()
    assert (news.event.kind, news.event.seq) == (Kind.RECEIVER_FAILING, 3)


async def test_what_a_route_drops_on_purpose_is_not_missed(database: Database, make_event: MakeEvent) -> None:
    await refused(database, make_event)
    await route_news(database, reason=replace(ROUTE_1, code=RoutingCode.DROPPED))
    assert await Unheard(database).unannounced() == []


async def test_news_on_its_way_is_not_missed_and_dead_news_is(database: Database, make_event: MakeEvent) -> None:
    await refused(database, make_event)
    await route_news(database, to=("ops",))
    assert await Unheard(database).unannounced() == []
    (leased,) = await claim(database, receiver="ops")
    await settle(database, leased, State.DEAD)
    (news,) = await Unheard(database).unannounced()
    assert news.reason is NotAnnounced.NOT_DELIVERED


async def test_dead_letters_are_missed_until_they_are_retried_or_dropped(
    database: Database, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    (event,) = await Deliveries(database).announce("hook", NOW)
    assert await Deliveries(database).announce("hook", NOW) == []
    await route_news(database, reason=replace(ROUTE_1, not_announced=NotAnnounced.ALL_FAILING))
    (news,) = await Unheard(database).unannounced()
    assert (news.event.id, news.reason) == (event.id, NotAnnounced.ALL_FAILING)
    await OperatorActions(database, {"hook", "chat"}).drop([identity], "mina", NOW)
    assert await Unheard(database).unannounced() == []


async def test_what_goes_to_a_receiver_that_is_not_configured_is_not_sent_again(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    operator_actions = OperatorActions(database, {"renamed"})
    with pytest.raises(DeliveryRefusedError, match="'hook', which is not in the configuration"):
        await operator_actions.retry([identity], LATER)
    with pytest.raises(DeliveryRefusedError, match="'hook' is not in the configuration"):
        await operator_actions.retry_all_dead("hook", LATER)
    (left,) = await operator_actions.retry_all_dead(None, LATER)
    assert (left.receiver, left.before, left.after) == ("hook", State.DEAD, State.DEAD)
    assert [delivery.state for delivery in listed(path)] == [State.DEAD]


async def test_what_is_in_doubt_is_not_polled_for_again_at_once_when_its_receiver_passes_again(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    async def doubted(at: datetime, signal: ReceiverSignal) -> datetime | None:
        (leased,) = await claim(database, now=at)
        verdict = Verdict(state=State.UNCERTAIN, reason="not found once", next_at=at + 10 * SECOND)
        assert await Deliveries(database).settle(leased, Settlement(verdict=verdict, at=at, signal=signal))
        (delivery,) = listed(path)
        return delivery.next_at

    await enqueue(database, make_event())
    again = NOW + PARKED_RETRY
    assert await doubted(NOW, ReceiverSignal(health=SignalKind.REFUSES, reason="channel_is_archived")) == again
    assert await doubted(again, ReceiverSignal(health=SignalKind.PASSES)) == again + 10 * SECOND
