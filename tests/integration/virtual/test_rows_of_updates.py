"""A poll writes what changed, also about the updates of a service and about versions without an inference result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.support.virtual import FakeApi, FakeReceiver, VirtualClock, run, running_pipeline, service_polls
from tests.support.written_batches import written
from watcher.core.batch import Batch
from watcher.core.event import Kind
from watcher.core.polling.plan import WatchAttributes
from watcher.core.usability.facts import ResultState

UPDATES = 12
MINUTE = 60.0
VERSION = ("s1", "v1")

Move = Callable[[FakeApi], None]


def batches_of(folder: Path, move: Move, *, cycle: str | None = None) -> list[Batch]:
    """Return the batches of half an hour in which something moves, after a completion and hours without a change."""

    async def main(clock: VirtualClock) -> list[Batch]:
        api = FakeApi(clock, trainings={("s1", "v0"): "completed"}, services=["s1"], cycle=cycle)
        api.with_result.add(("s1", "v0"))
        api.updates[VERSION] = {f"u{number}": "learning" for number in range(UPDATES)} if cycle else {}
        (poll,) = service_polls(["s1"], 60, 300)
        polls = [replace(poll, attributes=WatchAttributes(updates=cycle is not None))]
        async with running_pipeline(
            folder, api, FakeReceiver(), polls, tick_seconds=30, asks_updates=cycle is not None
        ):
            api.trainings[VERSION] = "learning"
            await asyncio.sleep(10 * MINUTE)
            api.trainings[VERSION] = "completed"
            await asyncio.sleep(20 * MINUTE)
            with written() as batches:
                move(api)
                await asyncio.sleep(30 * MINUTE)
            return batches

    return run(main)


def is_rows_of_polls(batch: Batch) -> bool:
    """Say whether a batch has rows of polls alone."""
    return bool(batch.polls) and batch == Batch(polls=batch.polls)


def end_update(api: FakeApi) -> None:
    api.updates[VERSION]["u3"] = "completed"


def show_result(api: FakeApi) -> None:
    api.with_result.add(VERSION)


def test_updates_that_go_on_write_the_rows_of_polls_alone(tmp_path: Path) -> None:
    batches = batches_of(tmp_path, lambda _: None, cycle="hour1")
    assert {state.key.partition(" ")[0] for batch in batches for state in batch.polls} >= {"updates"}
    assert all(map(is_rows_of_polls, batches))


def test_one_update_of_many_that_ends_writes_its_training_and_its_event(tmp_path: Path) -> None:
    batches = batches_of(tmp_path, end_update, cycle="hour1")
    changed = [batch for batch in batches if not is_rows_of_polls(batch)]
    assert [(len(batch.snapshots), [event.kind for event in batch.events]) for batch in changed] == [
        (1, [Kind.UPDATE_SUCCEEDED])
    ]


def test_a_completed_version_that_waits_for_its_result_writes_the_rows_of_polls_alone(tmp_path: Path) -> None:
    assert all(map(is_rows_of_polls, batches_of(tmp_path, lambda _: None)))


def test_a_result_that_appears_writes_its_training_once(tmp_path: Path) -> None:
    changed = [batch for batch in batches_of(tmp_path, show_result) if not is_rows_of_polls(batch)]
    assert [[snapshot.result for snapshot in batch.snapshots] for batch in changed] == [[ResultState.FOUND]]
