"""A look whose answer is kept while the flush of the second writes: nothing of it may make the store refuse later."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.core.batch import Batch
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.pipeline.polling.cache import PollCache
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database


class SlowPolls(PollStore):
    """The real store, whose writes wait until they are let go."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as Polls has them
        self.go = asyncio.Event()
        self.go.set()

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Wait, and then write."""
        await self.go.wait()
        return await super().record(batch)


def seen(version: str, status: str, second: int) -> Snapshot:
    """Return a training as it was seen at a second."""
    ref = TrainingRef("main", "shop", "pop", version)
    moment = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return Snapshot(ref=ref, status=status, seen_after=moment, first_seen_at=datetime(2026, 1, 1, tzinfo=UTC))


def again(cache: PollCache, version: str, second: int) -> Snapshot:
    """Return what is recorded, as a look of this second decides on it."""
    known = cache.training(TrainingRef("main", "shop", "pop", version))
    assert known is not None
    return known.unchanged_at(seen(version, "", second).seen_after)


async def test_what_is_noted_after_a_commit_that_waited_for_the_flush_can_be_written(tmp_path: Path) -> None:
    database = open_database(tmp_path / "watcher.db", purpose="test", now=datetime(2026, 1, 1, tzinfo=UTC))
    try:
        cache = PollCache(poll_store := SlowPolls(database))
        await cache.load()
        await cache.commit(Batch(snapshots=(seen("v1", "learning", 0), seen("v2", "learning", 0))))
        cache.note([again(cache, "v1", 1)], None)
        poll_store.go.clear()
        flush = asyncio.create_task(cache.flush())
        await asyncio.sleep(0)
        # One answer: v1 repeats what is known, v2 has to be written at once and waits for the flush.
        light, weighty = again(cache, "v1", 2), again(cache, "v2", 2)
        commit = asyncio.create_task(cache.commit(Batch(snapshots=(weighty,))))
        poll_store.go.set()
        await asyncio.gather(flush, commit)
        cache.note([light], None)
        await cache.flush()
    finally:
        database.close()


@pytest.mark.parametrize("stage", ["flush", "commit"])
async def test_a_write_that_commits_after_its_stage_was_cancelled_is_known_to_the_next(
    tmp_path: Path, stage: str
) -> None:
    database = open_database(tmp_path / "watcher.db", purpose="test", now=datetime(2026, 1, 1, tzinfo=UTC))
    try:
        cache = PollCache(PollStore(database))
        await cache.commit(Batch(snapshots=(seen("v1", "learning", 0),)))
        cache.note([again(cache, "v1", 1)], None)
        free = threading.Event()
        before = asyncio.create_task(database.write(lambda _connection: free.wait()))
        commit = Batch(snapshots=(replace(again(cache, "v1", 1), status="completed"),))
        writing = asyncio.create_task(cache.flush() if stage == "flush" else cache.commit(commit))
        await asyncio.sleep(0.01)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert writing.cancelled()
        free.set()
        await before
        cache.note([again(cache, "v1", 2)], None)
        await cache.flush()
        assert (await PollStore(database).load()).snapshots == (cache.training(seen("v1", "", 0).ref),)
    finally:
        database.close()
