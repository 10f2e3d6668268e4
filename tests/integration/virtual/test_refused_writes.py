"""While the store refuses writes, an answer waits, and it counts once regardless of the number of attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.support.virtual import FakeApi, FakeReceiver, VirtualClock, run, running_pipeline, service_polls
from watcher.core.batch import Batch, NotSavedError
from watcher.core.training.model import Snapshot
from watcher.http import HttpResult
from watcher.pipeline.polling.poller import Poller

ANSWERS = 10


def refuse_writes(poller: Poller, is_refused: Callable[[Batch], bool]) -> None:
    """Make the store refuse some batches."""
    poll_store = poller.cache._poll_store
    original_record = poll_store.record

    async def record(batch: Batch) -> list[Snapshot]:
        if is_refused(batch):
            raise NotSavedError("io-error")
        return await original_record(batch)

    poll_store.record = record  # type: ignore[method-assign]  # for this test


def test_an_answer_counts_once_although_its_deviation_is_not_saved_at_once(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v1"): "completed"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])) as poller:
            await asyncio.sleep(1000)
            stale, refusals = [True], [True]

            def replica(_now: float, _path: str) -> HttpResult | None:
                if not stale:
                    return None
                stale.clear()
                (item,) = FakeApi(clock, trainings={("s1", "v1"): "learning"}).document("/api/v1/services/s1")["trains"]  # type: ignore[index]
                return api.answer(200, {"trains": [item | {"unknown_field": 1}], "offset": 0, "limit": 1000})

            api.fault = replica
            refuse_writes(poller, lambda batch: bool(batch.deviations and refusals) and refusals.pop())
            await asyncio.sleep(2000)
            assert (stale, refusals) == ([], [])
        return receiver

    assert run(main).kinds == []


def test_a_failure_counts_once_regardless_of_the_attempts_to_save_it(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v1"): "learning"}
        answers: list[int] = []

        def outage(now: float, path: str) -> HttpResult | None:
            # A request behind a list is no further answer about its trainings.
            if now < 500 or "offset=" in path:
                return None
            answers.append(200 if len(answers) == ANSWERS else 401 if len(answers) == ANSWERS + 1 else 503)
            return None if answers[-1] == 200 else api.answer(answers[-1], {})

        api.fault = outage
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1", "s2"])) as poller:
            refusals = [True] * 5
            refuse_writes(
                poller,
                lambda batch: len(answers) >= ANSWERS + 2 and bool(batch.incident_rows and refusals) and refusals.pop(),
            )
            # The pauses of the circuit differ from run to run; the twelfth request comes within 1,700 s.
            await asyncio.sleep(2500)
            assert refusals == []
        return receiver

    assert run(main).kinds == ["unreachable"]
