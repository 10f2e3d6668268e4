"""While the store refuses writes an answer waits, and is judged once however often its keeping is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.support.virtual import Ear, VirtualClock, World, run, service_polls, watching
from watcher.core.batch import Batch, NotSavedError
from watcher.core.training.model import Snapshot
from watcher.http import HttpResult
from watcher.pipeline.polling.poller import Poller

ANSWERS = 10


def refuse(poller: Poller, is_refused: Callable[[Batch], bool]) -> None:
    """Let the store refuse what this says."""
    poll_store = poller.cache._poll_store
    consumers = poll_store.record

    async def record(batch: Batch) -> list[Snapshot]:
        if is_refused(batch):
            raise NotSavedError("io-error")
        return await consumers(batch)

    poll_store.record = record  # type: ignore[method-assign]  # for this test


def test_one_answer_is_not_taken_for_two_because_its_deviation_could_not_be_kept_at_once(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "completed"}
        async with watching(tmp_path, world, ear, service_polls(["s1"])) as poller:
            await asyncio.sleep(1000)
            stale, refusals = [True], [True]

            def replica(_now: float, _path: str) -> HttpResult | None:
                if not stale:
                    return None
                stale.clear()
                (item,) = World(clock, trainings={("s1", "v1"): "learning"}).document("/api/v1/services/s1")["trains"]  # type: ignore[index]
                return world.answer(200, {"trains": [item | {"unheard": 1}], "offset": 0, "limit": 1000})

            world.trouble = replica
            refuse(poller, lambda batch: bool(batch.deviations and refusals) and refusals.pop())
            await asyncio.sleep(2000)
            assert (stale, refusals) == ([], [])
        return ear

    assert run(main).kinds == []


def test_one_failure_of_another_kind_counts_once_however_often_its_keeping_is_tried(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "learning"}
        answers: list[int] = []

        def away(now: float, _path: str) -> HttpResult | None:
            if now < 500:
                return None
            answers.append(200 if len(answers) == ANSWERS else 401 if len(answers) == ANSWERS + 1 else 503)
            return None if answers[-1] == 200 else world.answer(answers[-1], {})

        world.trouble = away
        async with watching(tmp_path, world, ear, service_polls(["s1", "s2"])) as poller:
            refusals = [True] * 5
            refuse(
                poller,
                lambda batch: len(answers) == ANSWERS + 2 and bool(batch.incident_rows and refusals) and refusals.pop(),
            )
            await asyncio.sleep(1500)
            assert refusals == []
        return ear

    assert run(main).kinds == ["unreachable"]
