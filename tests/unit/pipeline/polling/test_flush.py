"""A flush comes a second after the first note, and none comes without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.support.virtual import VirtualClock, run
from watcher.core.batch import Batch, IncidentRow, NotSavedError, SavedState
from watcher.core.event import Restore
from watcher.core.observer import Observer
from watcher.core.polling.result import PollState
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.flush import FLUSH_SECONDS, Flusher

NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)
ORPHAN: Final = IncidentRow(subject="service:main/s", seq=1, incident=None)


class Rows:
    """A store in memory that keeps the times of its writes, and can fail."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.epoch = "e"
        self.restore: Restore | None = None
        self.written: list[tuple[float, Batch]] = []
        self.tried: list[float] = []
        self.error: Exception | None = None

    async def load(self) -> SavedState:
        return SavedState(snapshots=(), polls=(), incident_rows=())

    async def record(self, batch: Batch) -> list[Snapshot]:
        self.tried.append(round(self.clock.monotonic(), 3))
        if self.error is not None:
            raise self.error
        self.written.append((round(self.clock.monotonic(), 3), batch))
        return list(batch.snapshots)


class Monitor:
    """Names the incidents to close, once each."""

    def __init__(self) -> None:
        self.rows: tuple[IncidentRow, ...] = ()
        self.searches = 0

    def orphans(self) -> tuple[IncidentRow, ...]:
        self.searches += 1
        rows, self.rows = self.rows, ()
        return rows


class Flushing:
    """A running flusher."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.rows = Rows(clock)
        self.cache = PollCache(self.rows)
        self.monitor = Monitor()
        flusher = Flusher(self.cache, self.monitor, Observer())  # type: ignore[arg-type]  # as far as it needs it
        self.task = asyncio.create_task(flusher.run())

    def note_poll(self, number: int = 0) -> None:
        self.cache.note((), [PollState(key="service:main/s", good_asked_at=NOW + timedelta(seconds=number))])

    def note_training(self) -> None:
        ref = TrainingRef("main", "s", "pop", "v")
        self.cache.note([Snapshot(ref=ref, status="learning", seen_after=NOW, first_seen_at=NOW)], ())

    def note_both(self) -> None:
        self.note_training()
        self.note_poll()


NOTES: Final[dict[str, Callable[[Flushing], None]]] = {
    "a poll": Flushing.note_poll,
    "a training": Flushing.note_training,
    "both": Flushing.note_both,
}


@pytest.mark.parametrize("noted", NOTES)
def test_a_note_is_written_within_a_second_whenever_it_comes(noted: str) -> None:
    async def main(clock: VirtualClock) -> list[float]:
        flushing = Flushing(clock)
        await asyncio.sleep(100.3)
        NOTES[noted](flushing)
        await asyncio.sleep(100)
        flushing.task.cancel()
        return [time for time, _ in flushing.rows.written]

    (written_at,) = run(main)
    assert 100.3 <= written_at <= 100.3 + FLUSH_SECONDS


def test_notes_that_follow_each_other_are_one_write_a_second() -> None:
    async def main(clock: VirtualClock) -> int:
        flushing = Flushing(clock)
        for number in range(50):
            flushing.note_poll(number)
            await asyncio.sleep(0.1)
        await asyncio.sleep(5)
        flushing.task.cancel()
        return len(flushing.rows.written)

    assert run(main) <= 6


def test_without_a_note_nothing_is_done() -> None:
    async def main(clock: VirtualClock) -> tuple[int, list[float]]:
        flushing = Flushing(clock)
        await asyncio.sleep(600)
        flushing.task.cancel()
        return flushing.monitor.searches, flushing.rows.tried

    searches, tried = run(main)
    assert searches <= 10
    assert tried == []


@pytest.mark.parametrize("error", [NotSavedError("locked"), OSError("disk full")], ids=["not saved", "any other"])
def test_a_failed_flush_is_tried_again_each_second_and_loses_nothing(error: Exception) -> None:
    async def main(clock: VirtualClock) -> Rows:
        flushing = Flushing(clock)
        flushing.rows.error = error
        flushing.note_poll()
        await asyncio.sleep(10.5)
        flushing.rows.error = None
        await asyncio.sleep(2)
        flushing.task.cancel()
        return flushing.rows

    rows = run(main)
    assert len(rows.tried) >= 10
    assert [len(batch.polls) for _, batch in rows.written] == [1]


def test_an_incident_whose_subject_ended_with_a_commit_is_closed_within_a_second() -> None:
    async def main(clock: VirtualClock) -> list[Batch]:
        flushing = Flushing(clock)
        await asyncio.sleep(30)
        flushing.monitor.rows = (ORPHAN,)
        await flushing.cache.commit(Batch())
        await asyncio.sleep(FLUSH_SECONDS + 0.1)
        flushing.task.cancel()
        return [batch for _, batch in flushing.rows.written]

    assert [batch.incident_rows for batch in run(main)] == [(), (ORPHAN,)]
