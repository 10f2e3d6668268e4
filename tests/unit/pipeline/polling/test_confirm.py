"""The trainings that a list hides take turns to be viewed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import PollResult
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.pipeline.polling.confirm import VIEWS_A_POLL, Confirmer
from watcher.pipeline.polling.poll_changes import Changes
from watcher.pipeline.polling.targets import PollTarget

NOW = datetime(2026, 11, 28, tzinfo=UTC)
CADENCE = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=60))
RESULT = PollResult(shown=(), asked_at=NOW, answered_at=NOW, digest=b"")


def target_of(service: str) -> PollTarget:
    return PollTarget(
        poll=Poll(service=ServiceRef("main", service), cadence=CADENCE, attributes=WatchAttributes()), polling_since=NOW
    )


def hidden(service: str, first: int, count: int) -> list[Snapshot]:
    refs = (TrainingRef("main", service, "pop", f"v{number:02}") for number in range(first, first + count))
    return [Snapshot(ref=ref, status="learning", seen_after=NOW, first_seen_at=NOW) for ref in refs]


class Lists:
    """Lists that hide trainings; stands in for the decider and for the calls."""

    def __init__(self) -> None:
        self.hidden: list[Snapshot] = []
        self.viewed_now: list[str] = []
        double: Any = self
        self.confirmer = Confirmer(double, double, self.record, lambda coroutine: coroutine.close())

    def not_shown(self, poll: Poll, result: PollResult) -> list[Snapshot]:
        del poll, result
        return list(self.hidden)

    def viewed(self, *_arguments: object, **_options: object) -> Changes:
        return Changes()

    async def view(self, ref: TrainingRef, api: object, **_options: object) -> PollResult:
        del api
        self.viewed_now.append(ref.version)
        return RESULT

    async def record(self, *_arguments: object) -> Changes:
        return Changes()

    async def poll(self, target: PollTarget, trainings: list[Snapshot]) -> list[str]:
        """Return the versions that are viewed after a list that hides these trainings."""
        self.hidden, self.viewed_now = trainings, []
        api: Any = None
        await self.confirmer.view_missing(api, target, RESULT)
        return self.viewed_now


async def test_many_hidden_trainings_take_turns() -> None:
    lists, target = Lists(), target_of("s")
    trainings = hidden("s", 0, VIEWS_A_POLL + 5)
    assert await lists.poll(target, trainings) == [item.ref.version for item in trainings[:VIEWS_A_POLL]]
    assert (await lists.poll(target, trainings))[:5] == [item.ref.version for item in trainings[VIEWS_A_POLL:]]


@pytest.mark.parametrize("shown", [[], hidden("s", 40, 3)], ids=["a whole list", "a list that hides others"])
async def test_a_training_that_a_list_showed_again_has_its_turn_as_any_other(shown: list[Snapshot]) -> None:
    lists, target = Lists(), target_of("s")
    for _ in range(3):
        await lists.poll(target, hidden("s", 0, 1))
    await lists.poll(target, shown)
    assert "v00" in await lists.poll(target, hidden("s", 0, VIEWS_A_POLL + 5))


async def test_the_list_of_another_service_changes_no_turn() -> None:
    lists, target = Lists(), target_of("s")
    await lists.poll(target, hidden("s", 0, VIEWS_A_POLL + 5))
    await lists.poll(target_of("t"), [])
    await lists.poll(target_of("t"), hidden("t", 0, 2))
    assert (await lists.poll(target, hidden("s", 0, VIEWS_A_POLL + 5)))[:5] == ["v20", "v21", "v22", "v23", "v24"]


def logged_trainings(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["training"].rpartition("/")[2] for line in logs if line["event"] == "poll.training_not_listed"]


async def test_a_training_is_logged_once_while_no_list_shows_it() -> None:
    lists, target = Lists(), target_of("s")
    many = hidden("s", 0, VIEWS_A_POLL + 5)
    with capture_logs() as logs:
        for _ in range(6):
            await lists.poll(target, many)
    assert sorted(logged_trainings(logs)) == [item.ref.version for item in many]


async def test_a_training_that_a_list_showed_again_is_logged_again() -> None:
    lists, target = Lists(), target_of("s")
    with capture_logs() as logs:
        for trainings in (hidden("s", 0, 2), hidden("s", 1, 1), hidden("s", 0, 2)):
            await lists.poll(target, trainings)
    assert logged_trainings(logs) == ["v00", "v01", "v00"]


@pytest.mark.parametrize("count", [1, VIEWS_A_POLL, VIEWS_A_POLL + 5])
async def test_no_more_trainings_are_kept_than_the_latest_list_hides(count: int) -> None:
    lists, target = Lists(), target_of("s")
    for number in range(30):
        await lists.poll(target, hidden("s", number * count, count))
    assert len(lists.confirmer._logged["service:main/s"]) <= count
    assert len(lists.confirmer._views["service:main/s"]) == count
    await lists.poll(target, [])
    assert (lists.confirmer._logged, lists.confirmer._views) == ({}, {})


async def test_nothing_is_kept_of_a_poll_that_ends() -> None:
    lists, target = Lists(), target_of("s")
    api: Any = None
    await lists.poll(target, hidden("s", 0, 3))
    many = [item.ref for item in hidden("s", 0, 9)]
    assert await lists.confirmer.confirm(api, target, many, wait=False) is True
    lists.confirmer.forget(target.poll.key)
    assert (lists.confirmer._logged, lists.confirmer._views, lists.confirmer._polled_again) == ({}, {}, set())
