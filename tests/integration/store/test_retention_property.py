"""Pruning of any history: a training's newest state and event always stay, as does everything that is open."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from tests.integration.store.conftest import NOW
from tests.integration.store.test_deliveries import seal
from tests.support.routing import enqueue
from watcher.core.batch import Batch
from watcher.core.event import Event, Kind, event_id
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.store import schema
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.sqlite.database import Database, open_database

DAY = timedelta(days=1)
CUTOFF = NOW - 10 * DAY


@dataclass(frozen=True, slots=True)
class Past:
    """One event of a history: its training, its age, and the endings of its deliveries."""

    version: int
    days_ago: int
    routed: bool
    endings: tuple[str | None, ...]

    @property
    def waits(self) -> bool:
        """Whether it is unrouted or has an open delivery."""
        return not self.routed or None in self.endings


pasts = st.builds(
    Past,
    st.integers(0, 2),
    st.integers(0, 30),
    st.booleans(),
    st.lists(st.sampled_from([None, "delivered", "dead", "dropped"]), max_size=2).map(tuple),
)


def events_of(history: Sequence[Past]) -> list[Event]:
    counts = [0, 0, 0]
    events = []
    for past in history:
        counts[past.version] += 1
        ref = TrainingRef("main", "s", "pop", f"v{past.version}")
        time = NOW - past.days_ago * DAY
        event = Event(
            id=event_id("e1", ref.subject, counts[past.version]),
            kind=Kind.PROGRESS,
            subject=ref.subject,
            seq=counts[past.version],
            reason="moved-forward",
            account=ref.account,
            service=ref.service,
            training_type=ref.type,
            version=ref.version,
            from_status="waiting",
            to_status="learning",
            after=time,
            before=time,
            recorded_at=time,
        )
        events.append(event)
    return events


async def fill(database: Database, history: Sequence[Past]) -> list[Event]:
    """Write the history with a snapshot of each training and the endings of the deliveries."""
    events = events_of(history)
    refs = {TrainingRef.from_subject(event.subject) for event in events}
    snapshots = tuple(Snapshot(ref=ref, status="learning", seen_after=NOW, first_seen_at=NOW) for ref in sorted(refs))
    await PollStore(database).record(Batch(snapshots=snapshots, events=tuple(events)))
    for event, past in zip(events, history, strict=True):
        if past.routed:
            to = tuple(Recipient(receiver=f"hook{number}") for number in range(len(past.endings)))
            await enqueue(Outbox(database), [(event, RoutingDecision(to=to, reason=routed(1)))], seal, NOW)
            await database.write(lambda connection, event=event, past=past: end(connection, event, past))  # type: ignore[misc]
    return events


def end(connection: Connection, event: Event, past: Past) -> None:
    table = schema.ledger
    for number, ending in enumerate(past.endings):
        entry = (table.c.event_id == event.id) & (table.c.receiver == f"hook{number}")
        connection.execute(update(table).where(entry).values(ending=ending))


def kept(connection: Connection) -> tuple[set[str], set[tuple[str, str]], set[str], int]:
    """Return the events, the ledger's entries, the deliveries' ids and the number of trainings."""
    entries = connection.execute(select(schema.ledger.c.event_id, schema.ledger.c.delivery_id)).all()
    return (
        set(connection.scalars(select(schema.event.c.id))),
        {(row.event_id, row.delivery_id) for row in entries},
        set(connection.scalars(select(schema.delivery.c.id))),
        len(connection.scalars(select(schema.training.c.subject)).all()),
    )


async def prune_all(history: Sequence[Past]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder) / "watcher.db", purpose="test", now=NOW)
        events = await fill(database, history)
        while await Retention(database).prune(CUTOFF):
            pass
        left, entries, deliveries, trainings = await database.write(kept)
        database.close()
    newest = {event.subject: event.id for event in events}
    stays = {
        event.id
        for event, past in zip(events, history, strict=True)
        if past.waits or event.id == newest[event.subject] or event.recorded_at >= CUTOFF
    }
    assert left == stays
    assert trainings == len(newest)
    routed = {event.id: past for event, past in zip(events, history, strict=True) if past.routed}
    assert len(entries) == sum(len(routed[identity].endings) for identity in stays & routed.keys())
    assert deliveries == {delivery for _, delivery in entries}


@settings(max_examples=25, deadline=None)
@given(st.lists(pasts, max_size=10))
def test_the_newest_state_and_the_open_ledger_are_never_pruned(history: list[Past]) -> None:
    asyncio.run(prune_all(history))
