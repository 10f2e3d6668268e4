"""Retries and drops by an operator, and unannounced events about receivers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import MakeEvent, claim, enqueue, settle
from tests.support import routing
from watcher.core.action import ActionKind
from watcher.core.delivery.model import PARKED_RETRY, ReceiverSignal, Settlement, SignalKind, Verdict
from watcher.core.delivery.reason import DELIVERED, NO_REASON, Reason, ReasonCode, text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.core.messages.reasons import reason_text
from watcher.core.routing.reason import NotAnnounced, RoutingCode, RoutingReason, routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.operations.deliveries import RetryRequest
from watcher.operations.errors import OperationRefusedError
from watcher.pipeline.dead_letters import announce_dead_letters
from watcher.store import schema
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.operator_actions import DeliveryRefusedError, OperatorActions
from watcher.store.delivery.views import DeliveryFilter, DeliveryView
from watcher.store.outbox import Outbox
from watcher.store.sqlite.database import Database
from watcher.store.unannounced import unannounced
from watcher.store.url import sqlite_url
from watcher.store.views import HistoryFilter, open_views

LATER = NOW + 60 * SECOND
_ID_OF_SECOND = select(schema.ledger.c.delivery_id).where(schema.ledger.c.receiver_seq == 2)


def listed(path: Path, **wanted: object) -> list[DeliveryView]:
    with open_views(sqlite_url(path)) as views:
        return views.deliveries(DeliveryFilter(**wanted))  # type: ignore[arg-type]  # as the test says


async def dead(database: Database, make_event: MakeEvent, seq: int = 1) -> str:
    await enqueue(database, make_event(seq))
    (leased,) = await claim(database)
    await settle(database, leased, State.DEAD, reason="http 400")
    return leased.request.delivery_id


async def test_a_retried_dead_letter_gets_its_full_time_again(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    (change,) = await OperatorActions(database, {"hook", "chat"}).retry([identity[:12]], "mina", LATER)
    assert (change.id, change.before, change.after) == (identity, State.DEAD, State.PENDING)
    (delivery,) = listed(path)
    assert (delivery.state, delivery.reason, delivery.attempts, delivery.created_at) == (
        State.PENDING,
        Reason(code=ReasonCode.RETRIED, name="mina"),
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


async def test_a_delivery_keeps_who_retried_it_after_it_was_sent(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    await OperatorActions(database, {"hook", "chat"}).retry([identity], "mina", LATER)
    # A pending one can be retried, too: it does not wait for its next attempt.
    await OperatorActions(database, {"hook", "chat"}).retry([identity], "kim", LATER)
    (leased,) = await claim(database, now=LATER)
    await settle(database, leased)
    (delivery,) = listed(path, states=frozenset({State.DELIVERED}))
    found = [(action.kind, action.target, action.author, action.at) for action in delivery.actions]
    assert found == [(ActionKind.RETRY, identity, author, LATER) for author in ("mina", "kim")]
    with open_views(sqlite_url(path)) as views:
        (entry, *_) = views.history(HistoryFilter())
        (outcome,) = (item for item in entry.delivery_outcomes if item.receiver == "hook")
    assert outcome.actions == delivery.actions


async def test_a_refused_retry_is_no_action(database: Database, path: Path, make_event: MakeEvent) -> None:
    identity = await dead(database, make_event)
    with pytest.raises(DeliveryRefusedError):
        await OperatorActions(database, {"hook", "chat"}).retry([identity, "msg_nothing"], "mina", NOW)
    (delivery,) = listed(path)
    assert delivery.actions == ()


async def test_a_retry_is_sent_out_of_order_and_blocks_no_line(database: Database, make_event: MakeEvent) -> None:
    first = await dead(database, make_event)
    await enqueue(database, make_event(2))
    await OperatorActions(database, {"hook", "chat"}).retry([first], "mina", NOW)
    assert [leased.request.events[0].seq for leased in await claim(database)] == [1, 2]


@pytest.mark.parametrize("kind", [Kind.FAILED, Kind.PROGRESS])
async def test_a_retry_of_a_delivery_that_waits_for_another_one_sends_both_at_once_in_their_order(
    database: Database, make_event: MakeEvent, kind: Kind
) -> None:
    await enqueue(database, make_event(1), make_event(2, kind=kind), make_event(1, "v2"))
    first, other = await claim(database)
    for leased in (first, other):
        await settle(database, leased, State.PENDING, next_at=LATER)
    (waiting,) = await database.write(lambda connection: connection.scalars(_ID_OF_SECOND).all())
    await OperatorActions(database, {"hook", "chat"}).retry([waiting], "mina", NOW)
    (again,) = await claim(database, token="t2")
    assert again.request.delivery_id == first.request.delivery_id
    await settle(database, again)
    assert [leased.request.delivery_id for leased in await claim(database, token="t3")] == [waiting]


async def test_a_retry_leaves_an_uncertain_delivery_that_it_waits_for_to_its_lookup(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1), make_event(2))
    (first,) = await claim(database)
    await settle(database, first, State.UNCERTAIN, next_at=LATER)
    (waiting,) = await database.write(lambda connection: connection.scalars(_ID_OF_SECOND).all())
    await OperatorActions(database, {"hook", "chat"}).retry([waiting], "mina", NOW)
    assert await claim(database, token="t2", by_lookup=True) == []
    assert await Deliveries(database).next_due("hook") == LATER


async def test_a_held_delivery_stays_a_possible_repeat(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    await settle(database, leased, State.HELD, may_be_repeat=True)
    await OperatorActions(database, {"hook", "chat"}).retry([leased.request.delivery_id], "mina", NOW)
    (again,) = await claim(database)
    assert (again.request.may_be_repeat, again.request.attempt) == (True, 1)


async def test_all_dead_letters_of_one_receiver_are_retried(database: Database, make_event: MakeEvent) -> None:
    ids = {await dead(database, make_event, seq) for seq in (1, 2, 3)}
    assert await OperatorActions(database, {"hook", "chat"}).retry_all_dead("chat", "mina", NOW) == []
    assert {
        change.id for change in await OperatorActions(database, {"hook", "chat"}).retry_all_dead("hook", "mina", NOW)
    } == ids


async def test_a_limit_retries_the_oldest_dead_letters(database: Database, make_event: MakeEvent) -> None:
    ids = [await dead(database, make_event, seq) for seq in (1, 2, 3)]
    actions = OperatorActions(database, {"hook"})
    assert [change.id for change in await actions.retry_all_dead("hook", "mina", NOW, limit=2)] == ids[:2]
    assert [change.id for change in await actions.retry_all_dead("hook", "mina", NOW, limit=2)] == ids[2:]


@pytest.mark.parametrize("limit", [0, -1, "2", 2.5])
def test_a_limit_is_a_number_above_zero(limit: object) -> None:
    with pytest.raises(OperationRefusedError, match="at least 1"):
        RetryRequest.from_json({"all_dead": True, "receiver": "hook", "limit": limit})


async def test_a_dropped_delivery_has_ended_and_names_the_operator(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    await enqueue(database, make_event(2))
    (waiting,) = listed(path, states=frozenset({State.PENDING}))
    await OperatorActions(database, {"hook", "chat"}).drop([identity, waiting.id], "mina", NOW)
    dropped = listed(path, states=frozenset({State.DROPPED}))
    assert [reason_text(delivery.reason) for delivery in dropped] == ["dropped by mina"] * 2
    assert [[action.kind for action in delivery.actions] for delivery in dropped] == [[ActionKind.DROP]] * 2
    assert await claim(database) == []
    await enqueue(database, make_event(3))
    assert len(await claim(database)) == 1


@pytest.mark.parametrize("beginning", ["msg_nothing", "", "msg_", "%"])
async def test_an_id_without_exactly_one_delivery_changes_nothing(
    database: Database, path: Path, make_event: MakeEvent, beginning: str
) -> None:
    known = await dead(database, make_event)
    await dead(database, make_event, 2)
    with pytest.raises(DeliveryRefusedError):
        await OperatorActions(database, {"hook", "chat"}).retry([known, beginning], "mina", NOW)
    assert {delivery.state for delivery in listed(path)} == {State.DEAD}


async def test_a_delivered_or_leased_delivery_is_left_alone(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    with pytest.raises(DeliveryRefusedError, match="is being sent"):
        await OperatorActions(database, {"hook", "chat"}).drop([leased.request.delivery_id], "mina", NOW)
    await settle(database, leased)
    with pytest.raises(DeliveryRefusedError, match="was delivered"):
        await OperatorActions(database, {"hook", "chat"}).retry([leased.request.delivery_id], "mina", NOW)


ROUTE_1 = routed(1)


async def route_news(database: Database, to: tuple[str, ...] = (), reason: RoutingReason = ROUTE_1) -> None:
    news = [event for event, _ in await Outbox(database).unrouted(9)]
    recipients = tuple(Recipient(receiver=name) for name in to)
    plans = [(event, RoutingDecision(to=recipients, reason=reason)) for event in news]
    await routing.enqueue(Outbox(database), plans, lambda *_: b"", NOW)


async def refused(database: Database, make_event: MakeEvent, seq: int = 1, at: datetime = NOW) -> None:
    await enqueue(database, make_event(seq))
    (leased,) = await claim(database)
    signal = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("http 410"), answer="410")
    verdict = Verdict(state=State.PENDING, reason=text_reason("http 410"), next_at=NOW)
    assert await routing.settle(Deliveries(database), "hook", leased, Settlement(verdict=verdict, at=at, signal=signal))


async def recovered(database: Database, at: datetime) -> None:
    (leased,) = await claim(database, now=at)
    verdict = Verdict(state=State.DELIVERED, reason=DELIVERED)
    settlement = Settlement(verdict=verdict, at=at, signal=ReceiverSignal(health=SignalKind.PASSES))
    assert await routing.settle(Deliveries(database), "hook", leased, settlement)


async def test_a_failing_receiver_is_unannounced_when_no_other_receiver_is_notified(
    database: Database, make_event: MakeEvent
) -> None:
    await refused(database, make_event)
    await route_news(database, reason=replace(routed(1), not_announced=NotAnnounced.NO_OTHER))
    (news,) = await database.write(unannounced)
    assert (news.event.kind, news.reason) == (Kind.RECEIVER_FAILING, NotAnnounced.NO_OTHER)


async def test_a_receiver_that_fails_after_the_clock_was_set_back_is_unannounced_too(
    database: Database, make_event: MakeEvent
) -> None:
    ahead = NOW + timedelta(days=3)
    await refused(database, make_event, at=ahead)
    await recovered(database, at=ahead + PARKED_RETRY)
    await refused(database, make_event, seq=2)
    await route_news(database, reason=replace(routed(1), not_announced=NotAnnounced.NO_OTHER))
    (news,) = await database.write(unannounced)
    assert (news.event.kind, news.event.seq) == (Kind.RECEIVER_FAILING, 3)


async def test_an_event_that_a_route_drops_on_purpose_is_not_unannounced(
    database: Database, make_event: MakeEvent
) -> None:
    await refused(database, make_event)
    await route_news(database, reason=replace(routed(1), code=RoutingCode.DROPPED))
    assert await database.write(unannounced) == []


async def test_an_open_announcement_is_no_problem_and_a_dead_one_is(database: Database, make_event: MakeEvent) -> None:
    await refused(database, make_event)
    await route_news(database, to=("ops",))
    assert await database.write(unannounced) == []
    (leased,) = await claim(database, receiver="ops")
    await settle(database, leased, State.DEAD)
    (news,) = await database.write(unannounced)
    assert news.reason is NotAnnounced.NOT_DELIVERED


async def test_dead_letters_are_unannounced_until_they_are_retried_or_dropped(
    database: Database, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    (event,) = await announce_dead_letters(Deliveries(database), "hook", NOW)
    assert await announce_dead_letters(Deliveries(database), "hook", NOW) == []
    await route_news(database, reason=replace(routed(1), not_announced=NotAnnounced.ALL_FAILING))
    (news,) = await database.write(unannounced)
    assert (news.event.id, news.reason) == (event.id, NotAnnounced.ALL_FAILING)
    await OperatorActions(database, {"hook", "chat"}).drop([identity], "mina", NOW)
    assert await database.write(unannounced) == []


async def test_a_delivery_to_a_receiver_that_is_not_configured_is_not_retried(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    identity = await dead(database, make_event)
    operator_actions = OperatorActions(database, {"renamed"})
    with pytest.raises(DeliveryRefusedError, match="'hook', which is not in the configuration"):
        await operator_actions.retry([identity], "mina", LATER)
    with pytest.raises(DeliveryRefusedError, match="'hook' is not in the configuration"):
        await operator_actions.retry_all_dead("hook", "mina", LATER)
    (left,) = await operator_actions.retry_all_dead(None, "mina", LATER)
    assert (left.receiver, left.before, left.after) == ("hook", State.DEAD, State.DEAD)
    assert [delivery.state for delivery in listed(path)] == [State.DEAD]


async def test_an_uncertain_delivery_waits_for_its_next_lookup_when_its_receiver_recovers(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    async def doubted(at: datetime, signal: ReceiverSignal) -> datetime | None:
        (leased,) = await claim(database, now=at)
        verdict = Verdict(state=State.UNCERTAIN, reason=text_reason("not found once"), next_at=at + 10 * SECOND)
        assert await routing.settle(
            Deliveries(database), "hook", leased, Settlement(verdict=verdict, at=at, signal=signal)
        )
        (delivery,) = listed(path)
        return delivery.next_at

    await enqueue(database, make_event())
    again = NOW + PARKED_RETRY
    assert (
        await doubted(NOW, ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("channel_is_archived")))
        == again
    )
    assert await doubted(again, ReceiverSignal(health=SignalKind.PASSES)) == again + 10 * SECOND


async def test_deliveries_that_wait_behind_a_refused_one_name_the_reason_of_their_receiver(
    database: Database, path: Path, make_event: MakeEvent
) -> None:
    for seq in (1, 2, 3):
        await enqueue(database, make_event(seq))
    refused, *others = listed(path, states=frozenset({State.PENDING}))
    assert [delivery.receiver_reason for delivery in (refused, *others)] == [NO_REASON] * 3
    await routing.park(database, refused.receiver, NOW)
    assert {reason_text(delivery.receiver_reason) for delivery in listed(path)} == {"http 410"}
