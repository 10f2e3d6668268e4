"""What looking remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.store.conftest import NOW, SECOND
from watcher.core.batch import Batch, Trouble
from watcher.core.event import Event
from watcher.core.incidents.tracker import Incident
from watcher.core.polling.result import Cause, LookState
from watcher.core.training.model import Sighting, Snapshot, Source
from watcher.store.errors import StaleSnapshot
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
from watcher.store.sqlite.database import Database

PENDING = Sighting(
    status="completed", asked_at=NOW, answered_at=NOW + SECOND, source=Source.LIST, late=True, occasion="start"
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
    good_looks=1,
)
LOOK = LookState(key="service:main/s", good_asked_at=NOW, good_answered_at=NOW + SECOND, digest=b"\x00\xff")


async def test_everything_reads_back_as_it_was_kept(database: Database, make_snapshot: Callable[..., Snapshot]) -> None:
    polls = Polls(database)
    snapshots = [
        make_snapshot("v1", words_told=frozenset({"paused"}), record={"hpConfig": {"a": 1}, "createdDate": "2024"}),
        make_snapshot("v2", None, pending=PENDING, seq=3, changed_after=NOW, changed_before=NOW + SECOND, absent=1),
    ]
    failing = LookState(key="x", failures=2, failed_since=NOW, cause=Cause.DNS, detail="no such host")
    troubles = (Trouble(subject="account:main", seq=3, incident=INCIDENT), Trouble(subject="x", seq=1, incident=None))
    written = await polls.record(Batch(snapshots=tuple(snapshots), looks=(LOOK, failing), troubles=troubles))
    remembered = await polls.load()
    assert list(remembered.snapshots) == written
    assert [replace(item, revision=0) for item in written] == snapshots
    assert remembered.looks == (LOOK, failing)
    assert remembered.troubles == troubles


async def test_a_snapshot_that_changed_under_us_is_refused_with_its_events(
    database: Database, make_snapshot: Callable[..., Snapshot], make_event: Callable[..., Event]
) -> None:
    polls = Polls(database)
    (known,) = await polls.record(Batch(snapshots=(make_snapshot(),)))
    await polls.record(Batch(snapshots=(replace(known, status="waiting"),)))
    with pytest.raises(StaleSnapshot):
        await polls.record(Batch(snapshots=(replace(known, status="completed"),), events=(make_event(),)))
    assert await Outbox(database).unrouted(10) == []


async def test_a_look_is_kept_once_and_updated(database: Database) -> None:
    polls = Polls(database)
    await polls.record(Batch(looks=(LOOK,)))
    await polls.record(Batch(looks=(replace(LOOK, failures=1),)))
    assert (await polls.load()).looks == (replace(LOOK, failures=1),)
