"""The watcher's health as the store shows it: open incidents, waiting deliveries, unannounced problems."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert

from watcher.core.batch import Batch, IncidentRow
from watcher.core.delivery.state import State
from watcher.core.health.readiness import ROUTING, HealthStats
from watcher.core.incidents.model import Incident
from watcher.core.polling.result import Cause
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.model import Snapshot
from watcher.store import schema
from watcher.store.health_stats import NOTIFYING, read_health_stats
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database

NOW = from_text("2026-11-23T02:00:00.000000Z")
LATER = NOW + NOTIFYING + timedelta(seconds=1)
INCIDENT = Incident(
    id="inc_1",
    subject="account:main",
    cause=Cause.CONNECT,
    detail="no connection",
    since=NOW,
    last_good_at=None,
    opened_at=NOW,
)


def add_event(connection: Connection, subject: str, seq: int, kind: str, *, routed: bool = True) -> None:
    row = {"id": f"{subject} {seq}", "subject": subject, "seq": seq, "kind": kind, "body": "{}"}
    connection.execute(
        insert(schema.event).values(**row, recorded_at=to_text(NOW), routed_at=to_text(NOW) if routed else None)
    )


def add_entry(connection: Connection, subject: str, seq: int, receiver: str, ending: str | None) -> None:
    row = {"event_id": f"{subject} {seq}", "receiver": receiver, "delivery_id": "d", "subject": subject}
    connection.execute(insert(schema.ledger).values(**row, receiver_seq=seq, ending=ending))


def add_delivery(connection: Connection, name: str, receiver: str, state: State) -> None:
    row = {"id": name, "receiver": receiver, "sealed": True, "urgent": False, "state": state.value}
    connection.execute(insert(schema.delivery).values(**row, created_at=to_text(NOW), settled_at=to_text(NOW)))


async def open_incident(database: Database) -> None:
    await PollStore(database).record(
        Batch(incident_rows=(IncidentRow(subject="account:main", seq=1, incident=INCIDENT),))
    )


async def health_stats(database: Database, *work: Callable[[Connection], None]) -> HealthStats:
    for step in work:
        await database.write(step)
    return read_health_stats(database.url, LATER)


async def test_only_trainings_in_progress_are_listed(
    database: Database, make_snapshot: Callable[..., Snapshot]
) -> None:
    snapshots = (
        make_snapshot("v1", "learning"),
        make_snapshot("v2", "completed"),
        make_snapshot("v3", "waiting", gone=True),
        make_snapshot("v4", "hibernating"),
        make_snapshot("v5", "stopping", changed_after=NOW, changed_before=LATER),
    )
    await PollStore(database).record(Batch(snapshots=snapshots))
    stats = await health_stats(database)
    assert [(item.ref.version, item.status, item.since) for item in stats.in_progress] == [
        ("v1", "learning", snapshots[0].first_seen_at),
        ("v5", "stopping", LATER),
    ]
    assert stats.in_progress_counts == {"learning": 1, "stopping": 1}
    assert read_health_stats(database.url, LATER, in_progress=False).in_progress == ()


async def test_of_too_many_trainings_in_progress_the_longest_are_listed_and_all_are_counted(
    database: Database, make_snapshot: Callable[..., Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.store.health_stats.SERIES_MAX", 2)
    since = [NOW + timedelta(seconds=seconds) for seconds in (30, 10, 20)]
    snapshots = [
        make_snapshot(f"v{number}", "learning", changed_after=NOW, changed_before=time)
        for number, time in enumerate(since)
    ]
    await PollStore(database).record(Batch(snapshots=tuple(snapshots)))
    stats = await health_stats(database)
    assert [item.ref.version for item in stats.in_progress] == ["v1", "v2"]
    assert stats.in_progress_counts == {"learning": 3}


async def test_an_incident_is_unannounced_until_one_receiver_has_it(database: Database) -> None:
    await open_incident(database)
    subject = "account:main"
    found = await health_stats(
        database,
        lambda connection: add_event(connection, subject, 1, "unreachable"),
        lambda connection: add_entry(connection, subject, 1, "a", None),
        lambda connection: add_entry(connection, subject, 1, "b", "dead"),
    )
    assert found.incidents == {"connect": 1}
    assert found.unannounced == (subject,)
    assert read_health_stats(database.url, NOW).unannounced == ()
    found = await health_stats(database, lambda connection: add_entry(connection, subject, 1, "c", "delivered"))
    assert found.unannounced == ()


async def test_a_silenced_incident_is_not_unannounced(database: Database) -> None:
    await open_incident(database)
    found = await health_stats(
        database,
        lambda connection: add_event(connection, "account:main", 1, "unreachable"),
        lambda connection: add_entry(connection, "account:main", 1, "a", "silenced"),
    )
    assert found.unannounced == ()


async def test_an_incident_routed_to_no_receiver_on_purpose_is_not_unannounced(database: Database) -> None:
    await open_incident(database)
    found = await health_stats(database, lambda connection: add_event(connection, "account:main", 1, "unreachable"))
    assert found.unannounced == ()


async def test_an_incident_that_was_never_routed_is_unannounced(database: Database) -> None:
    await open_incident(database)
    found = await health_stats(
        database, lambda connection: add_event(connection, "account:main", 1, "unreachable", routed=False)
    )
    assert found.unannounced == ("account:main",)


async def test_an_event_without_a_route_counts_after_two_minutes_also_where_the_clock_ran_ahead(
    database: Database,
) -> None:
    def add(connection: Connection) -> None:
        for number, age in enumerate((ROUTING, timedelta(days=9), -timedelta(days=9), timedelta(seconds=1))):
            row = {"id": f"{number}", "subject": "s", "seq": number, "kind": "failed", "body": "{}"}
            connection.execute(insert(schema.event).values(**row, recorded_at=to_text(LATER - age)))

    found = await health_stats(database, add, lambda connection: add_event(connection, "routed", 1, "failed"))
    assert (found.unrouted, found.unrouted_since) == (3, LATER - timedelta(days=9))


async def test_delivered_rows_are_not_counted_as_waiting(database: Database) -> None:
    found = await health_stats(
        database,
        lambda connection: add_delivery(connection, "d1", "hook", State.DEAD),
        lambda connection: add_delivery(connection, "d2", "hook", State.DELIVERED),
        lambda connection: add_delivery(connection, "d3", "chat", State.PENDING),
    )
    assert {(queue.receiver, queue.state) for queue in found.queues} == {("hook", "dead"), ("chat", "pending")}
