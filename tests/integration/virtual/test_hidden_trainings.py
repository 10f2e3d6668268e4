"""A training that its list does not show, though it may be there, is viewed; a failing view is a failing poll."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
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
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import Cause
from watcher.core.training.model import TrainingRef
from watcher.http import HttpResult
from watcher.pipeline.polling.poller import Poller

REFS = [TrainingRef("main", "s1", "pop", f"v{number}") for number in range(3)]
VICTIM = REFS[1]
WHOLE = service_polls(["s1"])
JOINED = [replace(WHOLE[0], whole_service=False, single=dict.fromkeys(REFS, WatchAttributes()))]
POLLS: Mapping[str, list[Poll]] = {"whole service": WHOLE, "single trainings": JOINED}

Item = dict[str, object]
SPOILED: Mapping[str, Callable[[Item], object]] = {
    "status null": lambda item: {**item, "status": None},
    "status blank": lambda item: {**item, "status": " "},
    "no version": lambda item: {key: item[key] for key in item if key != "version"},
    "null": lambda _item: None,
}


@dataclass
class Spoiler:
    """Spoils the victim's record in lists, and answers its views in another way."""

    api: FakeApi
    record: Callable[[Item], object] = SPOILED["status null"]
    view: Callable[[], HttpResult | None] = lambda: None
    list_status: int = 200

    def __call__(self, _now: float, path: str) -> HttpResult | None:
        if path.endswith(f"/versions/{VICTIM.version}"):
            return self.view()
        if not path.endswith("/trains"):
            return None
        if self.list_status != 200:
            return self.api.answer(self.list_status, {"error": {"errorCode": "210", "message": "Permission Denied"}})
        document = self.api.document(path)
        assert isinstance(document, dict)
        records = [self.record(item) if item["version"] == VICTIM.version else item for item in document["trains"]]
        return self.api.answer(200, {**document, "trains": records})

    def unreadable_view(self) -> HttpResult:
        return self.api.answer(200, {"serviceId": "s1", "type": "pop", "version": VICTIM.version, "status": None})


def play(
    folder: Path, scenario: Callable[[Spoiler, Poller], Awaitable[None]], polls: Iterable[Poll] = WHOLE
) -> FakeReceiver:
    """Run three trainings in progress through a scenario that begins after their first polls."""

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", ref.version): "learning" for ref in REFS}
        async with running_pipeline(folder, api, receiver, polls, tick_seconds=5) as poller:
            await asyncio.sleep(60)
            spoiler = Spoiler(api)
            api.fault = spoiler
            await scenario(spoiler, poller)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(90)
            assert not poller.cache.viewed(VICTIM.service_ref)
        assert broken_invariants(folder, api, receiver) == []
        return receiver

    return run(main)


@pytest.mark.parametrize("polls", POLLS)
@pytest.mark.parametrize("spoiled", SPOILED)
def test_the_end_of_a_training_whose_record_is_unreadable_is_found_by_a_view(
    tmp_path: Path, spoiled: str, polls: str
) -> None:
    async def scenario(spoiler: Spoiler, poller: Poller) -> None:
        spoiler.record = SPOILED[spoiled]
        await asyncio.sleep(70)
        spoiler.api.trainings["s1", VICTIM.version] = "learningFailed"
        await asyncio.sleep(70)
        known = poller.cache.training(VICTIM)
        assert known is not None
        assert known.status == "learningFailed"

    receiver = play(tmp_path, scenario, POLLS[polls])
    assert receiver.kinds == ["failed"]
    assert (receiver.events[0].before - receiver.events[0].after).total_seconds() < 35


def test_a_hidden_training_is_viewed_once_an_interval(tmp_path: Path) -> None:
    async def scenario(spoiler: Spoiler, _poller: Poller) -> None:
        spoiler.api.paths.clear()
        await asyncio.sleep(300)
        views = [path for path in spoiler.api.paths if "versions" in path]
        lists = [path for path in spoiler.api.paths if path.endswith("/trains")]
        assert {path.rpartition("/")[2] for path in views} == {VICTIM.version}
        assert 0 < len(views) <= len(lists)

    assert play(tmp_path, scenario).kinds == []


@pytest.mark.parametrize("polls", POLLS)
@pytest.mark.parametrize("view", ["unreadable", "server error", "forbidden"])
def test_a_view_that_fails_too_is_a_failing_poll_and_an_incident(tmp_path: Path, view: str, polls: str) -> None:
    async def scenario(spoiler: Spoiler, poller: Poller) -> None:
        seen = poller.cache.poll(POLLS[polls][0].key).good_answered_at
        answers: dict[str, Callable[[], HttpResult | None]] = {
            "unreadable": spoiler.unreadable_view,
            "server error": lambda: spoiler.api.answer(500, {}),
            "forbidden": lambda: spoiler.api.answer(403, {}),
        }
        spoiler.view = answers[view]
        await asyncio.sleep(300)
        state = poller.cache.poll(VICTIM.subject)
        assert state.failures >= 5
        assert state.cause in {Cause.BAD_ANSWER, Cause.SERVER, Cause.PERMISSION}
        assert state.good_answered_at is not None
        assert seen is not None
        assert (state.good_answered_at - seen).total_seconds() < 35

    receiver = play(tmp_path, scenario, POLLS[polls])
    assert receiver.kinds == ["denied" if view == "forbidden" else "unreachable", "recovered"]
    assert {event.version for event in receiver.events} == {VICTIM.version}


def test_a_view_that_fails_in_place_of_a_refused_list_is_a_failing_poll(tmp_path: Path) -> None:
    async def scenario(spoiler: Spoiler, poller: Poller) -> None:
        spoiler.list_status = 403
        spoiler.view = lambda: spoiler.api.answer(500, {})
        await asyncio.sleep(300)
        assert poller.cache.poll(VICTIM.subject).cause is Cause.SERVER
        views = [path.rpartition("/")[2] for path in spoiler.api.paths if "versions" in path]
        assert abs(views.count("v0") - views.count("v1")) <= 1

    receiver = play(tmp_path, scenario, JOINED)
    assert receiver.kinds == ["unreachable", "recovered"]
    assert {event.version for event in receiver.events} == {VICTIM.version}


def test_a_watched_training_that_never_existed_is_one_incident_beside_others_of_its_service(tmp_path: Path) -> None:
    later = TrainingRef("main", "s1", "pop", "v9")
    polls = [replace(JOINED[0], single=dict.fromkeys((*REFS, later), WatchAttributes()))]

    async def scenario(spoiler: Spoiler, poller: Poller) -> None:
        spoiler.record = lambda item: item
        await asyncio.sleep(200)
        assert poller.cache.poll(later.subject).cause is Cause.NOT_FOUND
        spoiler.api.trainings["s1", "v9"] = "learning"
        await asyncio.sleep(60)

    receiver = play(tmp_path, scenario, polls)
    assert [(event.kind.value, event.version) for event in receiver.events] == [
        ("not-found", "v9"),
        ("recovered", "v9"),
    ]


def test_the_bounds_of_a_change_begin_at_the_last_answer_that_showed_the_training(tmp_path: Path) -> None:
    async def scenario(spoiler: Spoiler, _poller: Poller) -> None:
        spoiler.view = lambda: spoiler.api.answer(500, {})
        await asyncio.sleep(600)
        spoiler.api.trainings["s1", VICTIM.version] = "learningFailed"
        await asyncio.sleep(30)

    receiver = play(tmp_path, scenario)
    (failed,) = [event for event in receiver.events if event.kind.value == "failed"]
    assert (failed.after - START).total_seconds() < 61


@pytest.mark.parametrize("spoiled", ["no version", "null"])
def test_a_training_that_is_deleted_behind_an_unreadable_record_is_gone_after_two_views(
    tmp_path: Path, spoiled: str
) -> None:
    async def scenario(spoiler: Spoiler, poller: Poller) -> None:
        spoiler.record = SPOILED[spoiled]
        await asyncio.sleep(60)
        del spoiler.api.trainings["s1", "v2"]
        await asyncio.sleep(120)
        known = poller.cache.training(REFS[2])
        assert known is not None
        assert known.gone

    receiver = play(tmp_path, scenario)
    assert [(event.kind.value, event.version) for event in receiver.events] == [("gone", "v2")]
