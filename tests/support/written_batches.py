"""The batches that the polling stage writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from watcher.core.batch import Batch
from watcher.core.training.model import Snapshot
from watcher.store.polls import PollStore


@contextmanager
def written() -> Iterator[list[Batch]]:
    """Collect the batches that the polling stage writes."""
    batches: list[Batch] = []
    original = PollStore.record

    async def record(store: PollStore, batch: Batch) -> list[Snapshot]:
        batches.append(batch)
        return await original(store, batch)

    with mock.patch.object(PollStore, "record", record):
        yield batches
