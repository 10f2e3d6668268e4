"""A failure waits behind the earlier messages of its own training alone, and those go as early as it would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import select, update

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import GROUP, claim, enqueue, settle
from tests.support import routing
from watcher.core.delivery.model import Claim, LeasedDelivery
from watcher.core.delivery.reason import Reason, ReasonCode, write_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind, event_id
from watcher.core.routing.matcher import matcher_of
from watcher.core.routing.routes import Group
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef
from watcher.store import schema
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.operator_actions import OperatorActions
from watcher.store.silences import Silences
from watcher.store.sqlite.database import Database

MakeEvent = Callable[..., Event]
OTHERS: Final = 3
DAY: Final = timedelta(days=1)
DIGEST: Final = Group(key="digest service:main/s", patience=timedelta(minutes=10))

_delivery = schema.delivery.c


def sent(leased: LeasedDelivery) -> list[tuple[str | None, int]]:
    return [(event.version or event.service, event.seq) for event in leased.request.events]


async def send_all(database: Database, now: datetime = NOW, receiver: str = "hook") -> list[tuple[str | None, int]]:
    """Deliver everything that is due, one after another, and return it in this order."""
    order: list[tuple[str | None, int]] = []
    for turn in range(99):
        batch = await claim(database, receiver=receiver, limit=1, token=f"turn {turn}", now=now)
        if not batch:
            return order
        order += sent(batch[0])
        assert await settle(database, batch[0])
    raise AssertionError(order)


async def urgent_ones(database: Database) -> list[str]:
    query = select(schema.ledger.c.subject, schema.ledger.c.receiver_seq).join(
        schema.delivery, _delivery.id == schema.ledger.c.delivery_id
    )
    rows = await database.write(
        lambda connection: connection.execute(query.where(_delivery.urgent).order_by(_delivery.position)).all()
    )
    return [f"{row.subject.rpartition('/')[2]}:{row.receiver_seq}" for row in rows]


def others(make_event: MakeEvent) -> list[Event]:
    return [make_event(1, f"other{number}") for number in range(OTHERS)]


OF_OTHERS: Final = [(f"other{number}", 1) for number in range(OTHERS)]


@pytest.mark.parametrize("together", [True, False], ids=["in one plan", "one by one"])
async def test_the_earlier_messages_of_a_failed_training_go_before_those_of_others(
    database: Database, make_event: MakeEvent, *, together: bool
) -> None:
    line = [make_event(1), make_event(2), make_event(3, kind=Kind.FAILED)]
    if together:
        await enqueue(database, *others(make_event), *line)
    else:
        for event in [*others(make_event), *line]:
            await enqueue(database, event)
    assert await send_all(database) == [("v1", 1), ("v1", 2), ("v1", 3), *OF_OTHERS]


async def test_messages_after_a_failure_and_those_of_other_trainings_and_receivers_are_not_hurried(
    database: Database, make_event: MakeEvent
) -> None:
    first, *line = make_event(1), make_event(2), make_event(3, kind=Kind.FAILED), make_event(4)
    await enqueue(database, first, make_event(1, "v2"), make_event(2, "v2"), to=("hook", "chat"))
    await enqueue(database, *line)
    assert await urgent_ones(database) == ["v1:1", "v1:2", "v1:3"]
    assert await send_all(database) == [("v1", 1), ("v1", 2), ("v1", 3), ("v2", 1), ("v2", 2), ("v1", 4)]
    assert await send_all(database, receiver="chat") == [("v1", 1), ("v2", 1), ("v2", 2)]


async def test_a_failure_that_waits_for_nothing_hurries_nothing(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, *others(make_event), make_event(1, kind=Kind.FAILED), make_event(2))
    assert await urgent_ones(database) == ["v1:1"]


async def test_a_group_that_holds_an_earlier_change_of_a_failed_training_is_sent_at_once(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, *others(make_event))
    grouped = [replace(make_event(1, version), group=GROUP.key) for version in ("v1", "v2")]
    await enqueue(database, *grouped, group=GROUP)
    await enqueue(database, make_event(2, kind=Kind.FAILED))
    assert await send_all(database) == [("v1", 1), ("v2", 1), ("v1", 2), *OF_OTHERS]


async def test_a_group_that_waits_for_another_training_takes_that_ones_messages_with_it(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, *others(make_event), make_event(1, "v2"))
    grouped = [replace(make_event(seq, version), group=GROUP.key) for version, seq in (("v1", 1), ("v2", 2))]
    await enqueue(database, *grouped, group=GROUP)
    await enqueue(database, make_event(2, kind=Kind.FAILED))
    assert await send_all(database) == [("v2", 1), ("v1", 1), ("v2", 2), ("v1", 2), *OF_OTHERS]


async def test_a_group_behind_an_open_group_keeps_no_failure_waiting(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v2"), group=DIGEST)
    grouped = [replace(make_event(seq, version), group=GROUP.key) for version, seq in (("v1", 1), ("v2", 2))]
    await enqueue(database, *grouped, group=GROUP)
    await enqueue(database, make_event(2, kind=Kind.FAILED))
    assert await send_all(database) == [("v2", 1), ("v1", 1), ("v2", 2), ("v1", 2)]


async def test_a_digest_is_urgent_as_soon_as_a_failure_joins_it(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, *others(make_event))
    await enqueue(database, make_event(1, "v2"), make_event(1), group=DIGEST)
    await enqueue(database, make_event(2, kind=Kind.FAILED), group=DIGEST)
    due = NOW + DIGEST.patience
    order = await send_all(database, now=due)
    assert sorted(order[:3]) == [("v1", 1), ("v1", 2), ("v2", 1)]
    assert order[3:] == OF_OTHERS


async def test_a_change_that_joins_an_urgent_digest_hurries_its_trainings_earlier_message(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, *others(make_event), make_event(1, "v2"))
    await enqueue(database, make_event(1, kind=Kind.FAILED), group=DIGEST)
    await enqueue(database, make_event(2, "v2"), group=DIGEST)
    assert await urgent_ones(database) == ["v2:1", "v1:1", "v2:2"]


async def lease_and_put_off_others(database: Database, make_event: MakeEvent) -> LeasedDelivery:
    """Lease a message of a training behind those of others, and let theirs be due again."""
    await enqueue(database, *others(make_event), make_event(1), make_event(2))
    *before, leased = await claim(database)
    for other in before:
        assert await settle(database, other, State.PENDING, "http 503", next_at=NOW)
    return leased


@pytest.mark.parametrize("outcome", [State.DELIVERED, State.PENDING, State.UNCERTAIN])
async def test_a_failure_that_comes_while_the_first_of_its_line_is_sent_goes_next_after_it(
    database: Database, make_event: MakeEvent, outcome: State
) -> None:
    leased = await lease_and_put_off_others(database, make_event)
    await enqueue(database, make_event(3, kind=Kind.FAILED))
    waits = outcome is not State.DELIVERED
    assert await settle(database, leased, outcome, next_at=NOW if waits else None)
    assert not await settle(database, leased), "the lease has ended"
    again = [("v1", 1)] if waits else []
    assert await send_all(database) == [*again, ("v1", 2), ("v1", 3), *OF_OTHERS]


async def test_a_hurried_message_whose_lease_is_lost_is_sent_again_before_those_of_others(
    database: Database, make_event: MakeEvent
) -> None:
    lost = await lease_and_put_off_others(database, make_event)
    await enqueue(database, make_event(3, kind=Kind.FAILED))
    assert await send_all(database, now=NOW + DAY) == [("v1", 1), ("v1", 2), ("v1", 3), *OF_OTHERS]
    assert not await settle(database, lost)


async def put_off(database: Database, make_event: MakeEvent, state: State = State.PENDING) -> None:
    """Let the first attempts at a message of a training and at that of another one fail, for an hour."""
    await enqueue(database, make_event(1), make_event(1, "v2"))
    for leased in await claim(database):
        assert await settle(database, leased, state, "http 503", next_at=NOW + timedelta(hours=1))


async def test_a_failure_makes_due_what_it_waits_for_as_it_would_be_tried_at_once_itself(
    database: Database, make_event: MakeEvent
) -> None:
    await put_off(database, make_event)
    await enqueue(database, make_event(2), make_event(2, "v2"))
    assert await send_all(database) == []
    await enqueue(database, make_event(3, kind=Kind.FAILED))
    assert await send_all(database) == [("v1", 1), ("v1", 2), ("v1", 3)]


@pytest.mark.parametrize("why", ["parked", "refused", "uncertain"])
async def test_a_failure_makes_nothing_due_at_a_receiver_that_refuses_nor_what_may_have_arrived(
    database: Database, make_event: MakeEvent, why: str
) -> None:
    await put_off(database, make_event, State.UNCERTAIN if why == "uncertain" else State.PENDING)
    if why == "refused":
        reason = write_reason(Reason(code=ReasonCode.HTTP_REFUSED, status=404))
        await database.write(lambda connection: connection.execute(update(schema.delivery).values(reason=reason)))
    if why == "parked":
        await routing.park(database, "hook", NOW)
    await enqueue(database, make_event(2, kind=Kind.FAILED))
    assert await send_all(database) == []
    assert await urgent_ones(database) == ["v1:1", "v1:2"]


async def test_an_incident_hurries_the_earlier_message_about_its_service(
    database: Database, make_event: MakeEvent
) -> None:
    subject = ServiceRef("main", "s").subject
    about_service = [
        replace(
            make_event(seq, kind=kind),
            id=event_id("e1", subject, seq),
            subject=subject,
            training_type=None,
            version=None,
        )
        for seq, kind in ((1, Kind.GONE), (2, Kind.UNREACHABLE))
    ]
    await enqueue(database, *others(make_event), *about_service)
    assert await send_all(database) == [("s", 1), ("s", 2), *OF_OTHERS]


async def test_a_silenced_failure_hurries_nothing(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, *others(make_event), make_event(1))
    await Silences(database).add(matcher_of({"kind": ["failed"]}), DAY, "mina", "why", NOW)
    await enqueue(database, make_event(2, kind=Kind.FAILED))
    assert await send_all(database) == [*OF_OTHERS, ("v1", 1)]


async def test_a_chat_gets_the_line_of_a_failure_before_the_few_messages_that_are_not_joined(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "other0"), make_event(1), make_event(2, kind=Kind.FAILED), to=("team",))
    order = []
    for turn in range(3):
        wanted = Claim(receiver="team", limit=1, token=f"turn {turn}", lease=DAY, batch_max=40)
        (leased,) = await Deliveries(database).claim(wanted, NOW)
        order += sent(leased)
        assert await settle(database, leased)
    assert order == [("v1", 1), ("v1", 2), ("other0", 1)]


async def test_a_failure_that_an_older_version_left_behind_other_news_goes_first_after_the_start(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, *others(make_event), make_event(1), make_event(2, kind=Kind.FAILED))
    await enqueue(database, make_event(1, "v2"), make_event(2, "v2", Kind.FAILED), to=("elsewhere",))
    older = update(schema.delivery).where(_delivery.first_in_line).values(urgent=False)
    await database.write(lambda connection: connection.execute(older))
    await Deliveries(database).reclaim({"hook"}, NOW)
    assert await urgent_ones(database) == ["v1:1", "v1:2", "v2:2"]
    assert await send_all(database) == [("v1", 1), ("v1", 2), *OF_OTHERS]


async def fail_first(database: Database) -> None:
    """Let the attempt at what is due fail; it was created an hour before what waits for it."""
    for leased in await claim(database):
        assert await settle(database, leased, State.PENDING, "http 503", next_at=NOW + SECOND)
    older = update(schema.delivery).where(_delivery.attempted_at.is_not(None))
    created_at = to_text(NOW - timedelta(hours=1))
    await database.write(lambda connection: connection.execute(older.values(created_at=created_at)))


async def test_a_failure_behind_a_message_that_has_failed_counts_from_its_own_creation(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1), make_event(1, "v2"))
    await fail_first(database)
    deliveries = Deliveries(database)
    assert await deliveries.urgent_since("hook", "") is None
    await enqueue(database, make_event(2), make_event(3, kind=Kind.FAILED))
    assert await deliveries.urgent_since("hook", "") == NOW
    (first, *_) = await claim(database, now=NOW + SECOND, token="t2")
    assert await deliveries.urgent_since("hook", first.request.delivery_id) is None
    assert [event.kind for event in (await deliveries.receiver_summary("hook")).urgent] == [Kind.FAILED]


async def test_a_failure_behind_a_group_that_waits_for_a_failed_message_counts_too(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v2"))
    await fail_first(database)
    grouped = [replace(make_event(seq, version), group=GROUP.key) for version, seq in (("v1", 1), ("v2", 2))]
    await enqueue(database, *grouped, group=GROUP)
    await enqueue(database, make_event(2, kind=Kind.FAILED))
    assert await Deliveries(database).urgent_since("hook", "") == NOW


async def test_a_hurried_message_counts_no_more_once_the_failure_behind_it_was_dropped(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1))
    await fail_first(database)
    await enqueue(database, make_event(2, kind=Kind.FAILED), make_event(3))
    identities = select(schema.ledger.c.delivery_id).where(schema.ledger.c.receiver_seq == 2)
    (failure,) = await database.write(lambda connection: connection.scalars(identities).all())
    await OperatorActions(database, {"hook"}).drop([failure], "mina", NOW)
    assert await Deliveries(database).urgent_since("hook", "") is None
