"""Results that are recorded during a flush must not make the store reject a later write."""

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
    """The real store, whose writes wait for ``go``."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as PollStore has them
        self.go = asyncio.Event()
        self.go.set()

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Wait for ``go``, then write."""
        await self.go.wait()
        return await super().record(batch)


def seen(version: str, status: str, second: int) -> Snapshot:
    """Return the snapshot of a training at this second."""
    ref = TrainingRef("main", "shop", "pop", version)
    seen_at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return Snapshot(ref=ref, status=status, seen_after=seen_at, first_seen_at=datetime(2026, 1, 1, tzinfo=UTC))


def unchanged_at(cache: PollCache, version: str, second: int) -> Snapshot:
    """Return the recorded snapshot after another poll with the same status at this second."""
    known = cache.training(TrainingRef("main", "shop", "pop", version))
    assert known is not None
    return known.unchanged_at(seen(version, "", second).seen_after)


async def test_a_note_after_a_commit_that_waited_for_the_flush_can_be_written(tmp_path: Path) -> None:
    database = open_database(tmp_path / "watcher.db", purpose="test", now=datetime(2026, 1, 1, tzinfo=UTC))
    try:
        cache = PollCache(poll_store := SlowPolls(database))
        await cache.load()
        await cache.commit(Batch(snapshots=(seen("v1", "learning", 0), seen("v2", "learning", 0))))
        cache.note([unchanged_at(cache, "v1", 1)], ())
        poll_store.go.clear()
        flush = asyncio.create_task(cache.flush())
        await asyncio.sleep(0)
        # One result: v1 is unchanged, v2 must be committed now and waits for the flush.
        unchanged, changed = unchanged_at(cache, "v1", 2), unchanged_at(cache, "v2", 2)
        commit = asyncio.create_task(cache.commit(Batch(snapshots=(changed,))))
        poll_store.go.set()
        await asyncio.gather(flush, commit)
        cache.note([unchanged], ())
        await cache.flush()
    finally:
        database.close()


@pytest.mark.parametrize("stage", ["flush", "commit"])
async def test_the_cache_adopts_a_write_that_commits_after_its_stage_was_cancelled(tmp_path: Path, stage: str) -> None:
    database = open_database(tmp_path / "watcher.db", purpose="test", now=datetime(2026, 1, 1, tzinfo=UTC))
    try:
        cache = PollCache(PollStore(database))
        await cache.commit(Batch(snapshots=(seen("v1", "learning", 0),)))
        cache.note([unchanged_at(cache, "v1", 1)], ())
        release = threading.Event()
        blocking = asyncio.create_task(database.write(lambda _connection: release.wait()))
        commit = Batch(snapshots=(replace(unchanged_at(cache, "v1", 1), status="completed"),))
        writing = asyncio.create_task(cache.flush() if stage == "flush" else cache.commit(commit))
        await asyncio.sleep(0.01)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert writing.cancelled()
        release.set()
        await blocking
        cache.note([unchanged_at(cache, "v1", 2)], ())
        await cache.flush()
        assert (await PollStore(database).load()).snapshots == (cache.training(seen("v1", "", 0).ref),)
    finally:
        database.close()
