"""The stored state of polling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from tests.integration.store.conftest import NOW, SECOND
from watcher.core.batch import Batch, IncidentRow
from watcher.core.event import Event
from watcher.core.event_json import to_json
from watcher.core.incidents.model import Incident
from watcher.core.json_object import JsonObject, json_object
from watcher.core.polling.result import Cause, PollState
from watcher.core.training.catch_up import CatchUp, Outage
from watcher.core.training.model import Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.store.errors import StaleSnapshot
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.rows import KEPT_BYTES, dump, event_row, read_event
from watcher.store.sqlite.database import Database

PENDING = UnconfirmedStatus(
    status="completed",
    asked_at=NOW,
    answered_at=NOW + SECOND,
    source=Source.LIST,
    late=True,
    service_was_gone=True,
    catch_up=CatchUp("inc_x", Outage("account:main", NOW)),
)
INCIDENT = Incident(
    id="inc_x",
    subject="account:main",
    cause=Cause.DNS,
    detail="no such host",
    since=NOW,
    last_good_at=None,
    opened_at=NOW + SECOND,
    covers=frozenset({"service:main/s"}),
    good_polls=1,
)
POLL = PollState(key="service:main/s", good_asked_at=NOW, good_answered_at=NOW + SECOND, digest=b"\x00\xff")


async def test_every_row_reads_back_as_it_was_written(
    database: Database, make_snapshot: Callable[..., Snapshot]
) -> None:
    poll_store = PollStore(database)
    snapshots = [
        make_snapshot(
            "v1", announced_statuses=frozenset({"paused"}), record={"hpConfig": {"a": 1}, "createdDate": "2024"}
        ),
        make_snapshot("v2", None, pending=PENDING, seq=3, changed_after=NOW, changed_before=NOW + SECOND, absent=1),
    ]
    failing = PollState(key="x", failures=2, failed_since=NOW, cause=Cause.DNS, detail="no such host")
    incident_rows = (
        IncidentRow(subject="account:main", seq=3, incident=INCIDENT),
        IncidentRow(subject="x", seq=1, incident=None),
    )
    written = await poll_store.record(
        Batch(snapshots=tuple(snapshots), polls=(POLL, failing), incident_rows=incident_rows)
    )
    saved = await poll_store.load()
    assert list(saved.snapshots) == written
    assert [replace(item, revision=0) for item in written] == snapshots
    assert saved.polls == (POLL, failing)
    assert saved.incident_rows == incident_rows


async def test_a_snapshot_that_has_changed_meanwhile_is_refused_with_its_events(
    database: Database, make_snapshot: Callable[..., Snapshot], make_event: Callable[..., Event]
) -> None:
    poll_store = PollStore(database)
    (known,) = await poll_store.record(Batch(snapshots=(make_snapshot(),)))
    await poll_store.record(Batch(snapshots=(replace(known, status="waiting"),)))
    with pytest.raises(StaleSnapshot):
        await poll_store.record(Batch(snapshots=(replace(known, status="completed"),), events=(make_event(),)))
    assert await Outbox(database).unrouted(10) == []


async def test_an_event_that_is_refused_leaves_no_snapshot(
    database: Database, make_snapshot: Callable[..., Snapshot], make_event: Callable[..., Event]
) -> None:
    poll_store = PollStore(database)
    with pytest.raises(IntegrityError):
        await poll_store.record(Batch(snapshots=(make_snapshot(),), events=(make_event(), make_event())))
    assert (await poll_store.load()).snapshots == ()


@pytest.mark.parametrize("stale", [0, 1, 2])
async def test_one_changed_snapshot_among_several_is_named_and_refuses_all(
    database: Database, make_snapshot: Callable[..., Snapshot], stale: int
) -> None:
    poll_store = PollStore(database)
    refs = [TrainingRef("main", "s", "pop", f"v{number}") for number in range(3)]
    known = await poll_store.record(Batch(snapshots=tuple(make_snapshot(ref=ref) for ref in refs)))
    await poll_store.record(Batch(snapshots=(replace(known[stale], status="waiting"),)))
    before = await poll_store.load()
    with pytest.raises(StaleSnapshot, match=f"pop/v{stale} "):
        await poll_store.record(Batch(snapshots=tuple(replace(item, status="completed") for item in known)))
    assert (await poll_store.load()).snapshots == before.snapshots


async def test_a_poll_has_one_row_that_is_updated(database: Database) -> None:
    poll_store = PollStore(database)
    await poll_store.record(Batch(polls=(POLL,)))
    await poll_store.record(Batch(polls=(replace(POLL, failures=1),)))
    assert (await poll_store.load()).polls == (replace(POLL, failures=1),)


@pytest.mark.parametrize("size", [10, KEPT_BYTES])
async def test_the_usual_record_of_a_change_is_read_once_for_its_snapshot_and_its_event(
    database: Database,
    make_snapshot: Callable[..., Snapshot],
    make_event: Callable[..., Event],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    texts = [b'{"hidden": 1, "number": %d, "text": "%b"}' % (number, b"x" * size) for number in range(20)]
    records = [JsonObject(text, frozenset({"hidden"})) for text in texts]
    read: list[JsonObject] = []
    read_all = JsonObject.all

    def note(record: JsonObject) -> dict[str, object]:
        read.append(record)
        return read_all(record)

    monkeypatch.setattr(JsonObject, "all", note)
    snapshots = tuple(make_snapshot(f"v{number}", record=record) for number, record in enumerate(records))
    events = tuple(replace(make_event(1, f"v{number}"), record=record) for number, record in enumerate(records))
    await PollStore(database).record(Batch(snapshots=snapshots, events=events))
    assert len(read) == len(records) * (1 if size < KEPT_BYTES else 2)


@pytest.mark.parametrize("record", [{}, {"name": "훈련", "hpConfig": {"a": [1, None]}}], ids=str)
@pytest.mark.parametrize("kept", [dict, json_object])
def test_an_event_is_stored_as_its_json(
    make_event: Callable[..., Event], record: dict[str, object], kept: Callable[[object], dict[str, object]]
) -> None:
    event = replace(make_event(), record=kept(record))
    assert event_row(event)["body"] == dump(to_json(event))
    assert read_event(event_row(event)["body"]).record == record
