"""Route events and announce dead letters in a store, as the stages do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import insert

from watcher.core.delivery.model import LeasedDelivery, Policy, Settlement, Verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.receiver_change import ReceiverChange
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.event import Event
from watcher.core.routing.planning import Render, plan_deliveries
from watcher.core.routing.routes import RoutingDecision
from watcher.core.timestamps import to_text
from watcher.pipeline.delivery.receiver_monitor import ReceiverMonitor
from watcher.store import schema
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.sqlite.database import Database


async def enqueue(
    outbox: Outbox, decisions: Sequence[tuple[Event, RoutingDecision]], render: Render, now: datetime
) -> None:
    """Plan the deliveries of these events and write them."""
    receivers = {name for _, decision in decisions for name in decision.receivers}
    state = await outbox.state(receivers, {event.subject for event, _ in decisions}, now)
    await outbox.enqueue(plan_deliveries(decisions, state, render, now))


async def settle(deliveries: Deliveries, receiver: str, leased: LeasedDelivery, settlement: Settlement) -> bool:
    """Settle an attempt with the change of the receiver, as a new worker would."""
    saved, _ = await ReceiverMonitor(receiver, deliveries, Policy().give_up_after).settle(leased, settlement)
    return saved


async def save_body(deliveries: Deliveries, leased: LeasedDelivery, body: bytes) -> LeasedDelivery:
    """Store the rendered body of a leased delivery and return the delivery with it."""
    assert await deliveries.save_bodies([(leased, body)]) == [True]
    return replace(leased, request=replace(leased.request, body=body))


def unchanged(state: ReceiverState) -> ReceiverChange:
    """Return the change of a receiver that stays as it is."""
    return ReceiverChange(before=state, after=state)


def dropped(delivery: WaitingDelivery) -> DeliveryEnd:
    """Return the end of a delivery that an operator drops."""
    verdict = Verdict(state=State.DROPPED, reason=text_reason("dropped by mina"))
    return DeliveryEnd(id=delivery.id, state=delivery.state, verdict=verdict)


async def park(database: Database, receiver: str, now: datetime) -> None:
    """Let a receiver refuse permanently."""
    row = {"name": receiver, "seq": 1, "failing_since": to_text(now), "parked": True, "reason": "http 410"}
    await database.write(lambda connection: connection.execute(insert(schema.receiver).values(row)))
