"""A list that lacks trainings makes none gone before a view; trainings that vanish together are one message."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.virtual import (
    START,
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.polling.deviation import HIDDEN_TRAININGS, INCOMPLETE_LIST
from watcher.core.polling.plan import Poll
from watcher.http import HttpResult
from watcher.pipeline.polling.poller import Poller

Part = Callable[[list[dict[str, object]]], Iterable[object]]

PARTS: dict[str, Part] = {
    "empty": lambda _items: (),
    "half": lambda items: items[::2],
    "first three": lambda items: items[:3],
    "all but two": lambda items: items[2:],
    "all but one": lambda items: items[1:],
}
"""The part of a list that an answer has."""


def partial_list(api: FakeApi, path: str, part: Part) -> HttpResult | None:
    """Return a list of which a part is missing; a view is answered as always."""
    if not path.endswith("/trains"):
        return None
    document = api.document(path)
    assert isinstance(document, dict)
    return api.answer(200, {"trains": list(part(document["trains"])), "offset": 0, "limit": 1000})


def lists_of(
    folder: Path,
    scenario: Callable[[FakeApi, Poller], Awaitable[None]],
    *,
    status: str = "learning",
    polls: Iterable[Poll] = (),
) -> FakeReceiver:
    """Run a service with eight trainings through a scenario."""

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", f"v{number}"): status for number in range(8)}
        async with running_pipeline(folder, api, receiver, polls or service_polls(["s1"]), tick_seconds=5) as poller:
            await asyncio.sleep(60)
            await scenario(api, poller)
            await asyncio.sleep(120)
        assert broken_invariants(folder, api, receiver) == []
        return receiver

    return run(main)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("status", ["learning", "completed"])
def test_an_incomplete_list_makes_nothing_gone_and_is_one_deviation(tmp_path: Path, part: str, status: str) -> None:
    async def scenario(api: FakeApi, poller: Poller) -> None:
        api.fault = lambda _now, path: partial_list(api, path, PARTS[part])
        await asyncio.sleep(700)
        api.fault = lambda _now, _path: None
        assert poller.cache.deviations == {INCOMPLETE_LIST}

    assert lists_of(tmp_path, scenario, status=status).kinds == []


def test_a_failure_behind_an_empty_list_is_announced_after_a_view(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        api.fault = lambda _now, path: partial_list(api, path, PARTS["empty"])
        await asyncio.sleep(200)
        api.trainings["s1", "v7"] = "learningFailed"
        await asyncio.sleep(90)
        api.fault = lambda _now, _path: None

    receiver = lists_of(tmp_path, scenario)
    assert receiver.kinds == ["failed"]
    assert (receiver.events[0].before - receiver.events[0].after).total_seconds() < 75


def test_many_trainings_that_vanish_together_are_one_message_after_a_view_of_each(tmp_path: Path) -> None:
    paths: list[str] = []

    async def scenario(api: FakeApi, _poller: Poller) -> None:
        api.paths = paths
        api.trainings = {("s1", "v0"): "learning"}

    receiver = lists_of(tmp_path, scenario)
    assert receiver.kinds == ["gone"] * 7
    assert len(receiver.messages) == 1
    assert sum("versions" in path for path in paths) == 7


@pytest.mark.parametrize("count", [1, 2])
def test_few_trainings_that_vanish_are_viewed_each(tmp_path: Path, count: int) -> None:
    paths: list[str] = []

    async def scenario(api: FakeApi, _poller: Poller) -> None:
        api.paths = paths
        for number in range(count):
            del api.trainings["s1", f"v{number}"]

    assert lists_of(tmp_path, scenario).kinds == ["gone"] * count
    assert sum("versions" in path for path in paths) == count


@pytest.mark.parametrize("status", [503, 401])
def test_nothing_is_gone_while_the_views_fail(tmp_path: Path, status: int) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        def fault(_now: float, path: str) -> HttpResult | None:
            return partial_list(api, path, PARTS["empty"]) or api.answer(status, {})

        api.fault = fault
        await asyncio.sleep(400)
        api.fault = lambda _now, _path: None

    assert lists_of(tmp_path, scenario).kinds == []


def test_a_training_that_is_really_deleted_is_gone_beside_an_incomplete_list(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        del api.trainings["s1", "v3"]
        api.fault = lambda _now, path: partial_list(api, path, PARTS["first three"])
        await asyncio.sleep(400)
        api.fault = lambda _now, _path: None

    receiver = lists_of(tmp_path, scenario)
    assert [(event.kind.value, event.version) for event in receiver.events] == [("gone", "v3")]


@pytest.mark.parametrize(("deleted", "status"), [(2, "learning"), (3, "learning"), (7, "waiting"), (3, "completed")])
def test_deleted_trainings_say_nothing_about_others_that_an_empty_list_hides(
    tmp_path: Path, deleted: int, status: str
) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        for number in range(deleted):
            del api.trainings["s1", f"v{number}"]
        api.fault = lambda _now, path: partial_list(api, path, PARTS["empty"])
        await asyncio.sleep(400)
        if status != "completed":
            api.trainings["s1", "v7"] = "learningFailed"
        await asyncio.sleep(100)
        api.fault = lambda _now, _path: None

    receiver = lists_of(tmp_path, scenario, status=status)
    ended = [] if status == "completed" else [("failed", "v7")]
    expected = [("gone", f"v{number}") for number in range(deleted)] + ended
    assert sorted((event.kind.value, event.version) for event in receiver.events) == sorted(expected)


def test_many_deleted_trainings_that_had_ended_are_one_message_after_some_views(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", f"v{number}"): "completed" for number in range(60)}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"], 30, 30), tick_seconds=5):
            await asyncio.sleep(60)
            api.trainings = {("s1", "v0"): "completed"}
            await asyncio.sleep(120)
        return api, receiver

    api, receiver = run(main)
    assert receiver.kinds == ["gone"] * 59
    assert sum("versions" in path for path in api.paths) == 20


@pytest.mark.parametrize("part", ["empty", "half", "first three"])
def test_old_trainings_that_the_first_lists_lack_are_no_news(tmp_path: Path, part: str) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", f"v{n}"): "learningFailed" if n % 2 else "completed" for n in range(24)}
        api.created = dict.fromkeys(api.trainings, START - timedelta(days=180))
        api.fault = lambda _now, path: partial_list(api, path, PARTS[part])
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"], 30, 30), tick_seconds=5) as poller:
            await asyncio.sleep(100)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(100)
            assert poller.cache.deviations == {HIDDEN_TRAININGS}
            api.trainings["s1", "v0"] = "learning"
            api.trainings["s1", "new"] = "learningFailed"
            await asyncio.sleep(200)
        return receiver

    events = run(main).events
    assert sorted((event.kind.value, event.version) for event in events) == [("failed", "new"), ("restarted", "v0")]


def test_views_behind_an_incomplete_list_hold_up_no_other_service(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[float]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", f"v{number}"): "learning" for number in range(30)} | {("s2", "v0"): "learning"}
        polls = service_polls(["s1", "s2"])
        async with running_pipeline(tmp_path, api, receiver, polls, per_second=1.0, tick_seconds=1):
            await asyncio.sleep(40)
            api.fault = lambda _now, path: partial_list(api, path, PARTS["empty"]) if "/s1/" in path else None
            await asyncio.sleep(400)
        assert receiver.kinds == []
        return [at for at, path in zip(api.request_times, api.paths, strict=True) if path.endswith("/s2/trains")]

    times = run(main)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 33.5
