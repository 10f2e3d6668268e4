"""The looking stage's memory stays in step with the store, whatever happens during a write."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from watcher.core.batch import Batch, Remembered
from watcher.core.polling.result import LookState
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.pipeline.polling.cache import Memory

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SNAPSHOT = Snapshot(ref=TrainingRef("main", "s", "pop", "v"), status="learning", seen_after=NOW, first_seen_at=NOW)
LOOK = LookState(key="service:main/s", good_asked_at=NOW)


class Rows:
    """A store that keeps state, can be slow, and can fail."""

    def __init__(self) -> None:
        self.snapshots: dict[TrainingRef, Snapshot] = {}
        self.looks: dict[str, LookState] = {}
        self.writes = 0
        self.epoch = "e"
        self.restored_at: datetime | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def load(self) -> Remembered:
        return Remembered(snapshots=tuple(self.snapshots.values()), looks=tuple(self.looks.values()), troubles=())

    async def record(self, batch: Batch) -> list[Snapshot]:
        await self.gate.wait()
        if self.broken:
            raise OSError("disk full")
        self.writes += 1
        written = []
        for snapshot in batch.snapshots:
            known = self.snapshots.get(snapshot.ref)
            assert snapshot.revision == (known.revision if known else 0), "another write was overlooked"
            written.append(replace(snapshot, revision=snapshot.revision + 1))
        self.snapshots |= {snapshot.ref: snapshot for snapshot in written}
        self.looks |= {look.key: look for look in batch.looks}
        return written


async def test_a_failed_commit_is_not_known_so_that_it_is_decided_anew() -> None:
    rows = Rows()
    memory = Memory(rows)
    rows.broken = True
    with pytest.raises(OSError, match="disk full"):
        await memory.commit(Batch(snapshots=(SNAPSHOT,), looks=(LOOK,)))
    assert memory.training(SNAPSHOT.ref) is None
    assert memory.look(LOOK.key).good_asked_at is None


async def test_what_is_noted_is_known_at_once_and_written_by_the_next_flush() -> None:
    rows = Rows()
    memory = Memory(rows)
    memory.note([SNAPSHOT], LOOK)
    assert memory.look(LOOK.key) == LOOK
    assert rows.writes == 0
    await memory.flush()
    assert (rows.snapshots[SNAPSHOT.ref].status, rows.looks[LOOK.key]) == ("learning", LOOK)


async def test_a_flush_with_nothing_new_writes_nothing() -> None:
    rows = Rows()
    memory = Memory(rows)
    memory.note([SNAPSHOT], LOOK)
    await memory.flush()
    memory.note([], LOOK)
    await memory.flush()
    assert rows.writes == 1


async def test_what_is_noted_during_a_flush_is_written_by_the_next() -> None:
    rows = Rows()
    memory = Memory(rows)
    memory.note([SNAPSHOT], LOOK)
    rows.gate.clear()
    flushing = asyncio.create_task(memory.flush())
    await asyncio.sleep(0)
    memory.note([replace(SNAPSHOT, record={"inference": True})], replace(LOOK, failures=1))
    rows.gate.set()
    await flushing
    await memory.flush()
    assert rows.snapshots[SNAPSHOT.ref].record == {"inference": True}
    assert rows.looks[LOOK.key].failures == 1


async def test_a_commit_during_a_flush_does_not_count_a_revision_twice() -> None:
    rows = Rows()
    memory = Memory(rows)
    memory.note([SNAPSHOT], LOOK)
    rows.gate.clear()
    flushing = asyncio.create_task(memory.flush())
    committing = asyncio.create_task(memory.commit(Batch(snapshots=(replace(SNAPSHOT, status="completed"),))))
    await asyncio.sleep(0)
    rows.gate.set()
    await asyncio.gather(flushing, committing)
    assert rows.snapshots[SNAPSHOT.ref].status == "completed"


async def test_a_failed_flush_is_written_by_the_next() -> None:
    rows = Rows()
    memory = Memory(rows)
    memory.note([SNAPSHOT], LOOK)
    rows.broken = True
    with pytest.raises(OSError, match="disk full"):
        await memory.flush()
    rows.broken = False
    await memory.flush()
    assert rows.looks[LOOK.key] == LOOK


async def test_what_was_decided_before_a_flush_and_noted_after_it_is_written_all_the_same() -> None:
    rows = Rows()
    memory = Memory(rows)
    memory.note([SNAPSHOT], LOOK)
    decided = replace(SNAPSHOT, record={"inference": True})
    await memory.flush()
    memory.note([decided], LOOK)
    await memory.flush()
    assert rows.snapshots[SNAPSHOT.ref].record == {"inference": True}
