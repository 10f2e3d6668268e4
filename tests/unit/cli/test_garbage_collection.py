"""A daemon looks for garbage after many new objects, not several times within one list of trainings."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from watcher.cli.runtime import NEW_OBJECTS, run_async


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_new_objects_are_visited_once_in_ten_thousand() -> None:
    visits: list[int] = []

    def note(phase: str, found: dict[str, int]) -> None:
        if phase == "start":
            visits.append(found["generation"])

    async def make_objects() -> list[list[int]]:
        gc.callbacks.append(note)
        try:
            return [[] for _ in range(3 * NEW_OBJECTS)]
        finally:
            gc.callbacks.remove(note)

    assert len(run_async(make_objects())) == 3 * NEW_OBJECTS
    assert visits in ([0, 0], [0, 0, 0])
