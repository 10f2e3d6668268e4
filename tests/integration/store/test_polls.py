"""What looking remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.store.conftest import NOW, SECOND
from watcher.core.event import Event
from watcher.core.look import Cause, LookState
from watcher.core.training import Sighting, Snapshot, Source
from watcher.store.database import Database
from watcher.store.errors import StaleSnapshot
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls

PENDING = Sighting(status="completed", asked_at=NOW, answered_at=NOW + SECOND, source=Source.LIST, late=True)
LOOK = LookState(key="service:main/s", good_asked_at=NOW, good_answered_at=NOW + SECOND, digest=b"\x00\xff")


async def test_everything_reads_back_as_it_was_kept(database: Database, make_snapshot: Callable[..., Snapshot]) -> None:
    polls = Polls(database)
    snapshots = [
        make_snapshot("v1", words_told=frozenset({"paused"}), record={"hpConfig": {"a": 1}, "createdDate": "2024"}),
        make_snapshot("v2", None, pending=PENDING, seq=3, changed_after=NOW, changed_before=NOW + SECOND, absent=1),
    ]
    failing = LookState(key="x", failures=2, failed_since=NOW, cause=Cause.DNS, detail="no such host")
    written = await polls.record(snapshots, [], [LOOK, failing])
    loaded, looks = await polls.load()
    assert loaded == written
    assert [replace(item, revision=0) for item in loaded] == snapshots
    assert looks == [LOOK, failing]


async def test_a_snapshot_that_changed_under_us_is_refused_with_its_events(
    database: Database, make_snapshot: Callable[..., Snapshot], make_event: Callable[..., Event]
) -> None:
    polls = Polls(database)
    (known,) = await polls.record([make_snapshot()], [], [])
    await polls.record([replace(known, status="waiting")], [], [])
    with pytest.raises(StaleSnapshot):
        await polls.record([replace(known, status="completed")], [make_event()], [])
    assert await Outbox(database).unrouted(10) == []


async def test_a_look_is_kept_once_and_updated(database: Database) -> None:
    polls = Polls(database)
    await polls.record([], [], [LOOK])
    await polls.record([], [], [replace(LOOK, failures=1)])
    _, looks = await polls.load()
    assert looks == [replace(LOOK, failures=1)]
