"""The cache of the polling stage stays in step with the store, also when a write fails or overlaps."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from watcher.core.batch import Batch, SavedState
from watcher.core.event import Restore
from watcher.core.polling.result import PollState
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.pipeline.polling.cache import PollCache

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SNAPSHOT = Snapshot(ref=TrainingRef("main", "s", "pop", "v"), status="learning", seen_after=NOW, first_seen_at=NOW)
POLL = PollState(key="service:main/s", good_asked_at=NOW)


class RowStore:
    """A store in memory that can be slow and can fail."""

    def __init__(self) -> None:
        self.snapshots: dict[TrainingRef, Snapshot] = {}
        self.polls: dict[str, PollState] = {}
        self.writes = 0
        self.epoch = "e"
        self.restore: Restore | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False

    async def load(self) -> SavedState:
        return SavedState(snapshots=tuple(self.snapshots.values()), polls=tuple(self.polls.values()), incident_rows=())

    async def record(self, batch: Batch) -> list[Snapshot]:
        await self.gate.wait()
        if self.failing:
            raise OSError("disk full")
        self.writes += 1
        written = []
        for snapshot in batch.snapshots:
            known = self.snapshots.get(snapshot.ref)
            assert snapshot.revision == (known.revision if known else 0), "the revision ignores an earlier write"
            written.append(replace(snapshot, revision=snapshot.revision + 1))
        self.snapshots |= {snapshot.ref: snapshot for snapshot in written}
        self.polls |= {poll.key: poll for poll in batch.polls}
        return written


async def test_a_failed_commit_leaves_the_cache_unchanged() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    rows.failing = True
    with pytest.raises(OSError, match="disk full"):
        await cache.commit(Batch(snapshots=(SNAPSHOT,), polls=(POLL,)))
    assert cache.training(SNAPSHOT.ref) is None
    assert cache.poll(POLL.key).good_asked_at is None


async def test_a_note_is_adopted_at_once_and_written_by_the_next_flush() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    cache.note([SNAPSHOT], [POLL])
    assert cache.poll(POLL.key) == POLL
    assert rows.writes == 0
    await cache.flush()
    assert (rows.snapshots[SNAPSHOT.ref].status, rows.polls[POLL.key]) == ("learning", POLL)


async def test_a_flush_with_nothing_new_writes_nothing() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    cache.note([SNAPSHOT], [POLL])
    await cache.flush()
    cache.note([], [POLL])
    await cache.flush()
    assert rows.writes == 1


async def test_a_note_during_a_flush_is_written_by_the_next_flush() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    cache.note([SNAPSHOT], [POLL])
    rows.gate.clear()
    flushing = asyncio.create_task(cache.flush())
    await asyncio.sleep(0)
    cache.note([replace(SNAPSHOT, record={"inference": True})], [replace(POLL, failures=1)])
    rows.gate.set()
    await flushing
    await cache.flush()
    assert rows.snapshots[SNAPSHOT.ref].record == {"inference": True}
    assert rows.polls[POLL.key].failures == 1


async def test_a_commit_during_a_flush_uses_the_next_revision() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    cache.note([SNAPSHOT], [POLL])
    rows.gate.clear()
    flushing = asyncio.create_task(cache.flush())
    committing = asyncio.create_task(cache.commit(Batch(snapshots=(replace(SNAPSHOT, status="completed"),))))
    await asyncio.sleep(0)
    rows.gate.set()
    await asyncio.gather(flushing, committing)
    assert rows.snapshots[SNAPSHOT.ref].status == "completed"


async def test_after_a_failed_flush_the_next_one_writes_its_notes() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    cache.note([SNAPSHOT], [POLL])
    rows.failing = True
    with pytest.raises(OSError, match="disk full"):
        await cache.flush()
    rows.failing = False
    await cache.flush()
    assert rows.polls[POLL.key] == POLL


async def test_a_note_that_was_decided_before_a_flush_is_written_after_it() -> None:
    rows = RowStore()
    cache = PollCache(rows)
    cache.note([SNAPSHOT], [POLL])
    decided = replace(SNAPSHOT, record={"inference": True})
    await cache.flush()
    cache.note([decided], [POLL])
    await cache.flush()
    assert rows.snapshots[SNAPSHOT.ref].record == {"inference": True}
