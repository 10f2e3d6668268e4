"""The bounds of a change after the watches have changed: they begin where the training itself was seen last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.virtual import START, FakeApi, FakeReceiver, VirtualClock, run, running_pipeline
from watcher.core.event import Event
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll, Watch, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef

SERVICE = ServiceRef("main", "s1")
CADENCE = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=300))
SECONDS = 100
WHOLE = ""
"""A watch of the whole service, among those of single versions."""
ADDED = "3"
STAYED = "stayed in the list, through reloads"

PLANS = {
    "known from the service, new in a list": [WHOLE, "12", "123"],
    "left out of a list, then added again": ["123", "12", "123"],
    "left out for two plans": ["123", "124", "12", "123"],
    "added to a list after all others left": ["123", "12", "45", "345"],
    "known from its own watch": ["3", "12", "123"],
    "left a list and got a watch of its own": ["123", "12", "3"],
    "left a list, then all of the service": ["123", "12", WHOLE],
    "known from the service, and not from the list between": [WHOLE, "12", WHOLE],
    STAYED: ["123", "13", "134"],
    "moved from a list to a watch of its own": ["23", "23", "3"],
    "moved from a list to the service": ["23", "23", WHOLE],
}
"""The versions of each plan in turn; the training changes after the last but one."""


def polls_of(plan: str) -> tuple[Poll, ...]:
    if not plan:
        return plan_polls([Watch(service=SERVICE, cadence=CADENCE)])
    refs = [TrainingRef("main", "s1", "pop", version) for version in plan]
    return plan_polls(Watch(service=SERVICE, training=ref, cadence=CADENCE) for ref in refs)


def last_seen(api: FakeApi, until: float) -> datetime:
    """Return the start of the last request before this time; each plan that covers the training has one poll."""
    return START + timedelta(seconds=max(time for time in api.request_times if time <= until))


def the_change(events: Sequence[Event]) -> Event:
    (event,) = (event for event in events if event.version == ADDED)
    return event


@pytest.mark.parametrize(("name", "reload"), [(name, number % 2 == 0) for number, name in enumerate(PLANS)])
def test_a_change_is_bounded_by_the_last_answer_that_covered_the_training(
    tmp_path: Path, name: str, *, reload: bool
) -> None:
    *before, last = PLANS[name]

    async def main(clock: VirtualClock) -> tuple[Event, datetime]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", version): "learning" for version in "12345"}
        seen: list[float] = []

        async def watch(plan: str) -> None:
            await asyncio.sleep(SECONDS)
            if ADDED in (plan or ADDED):
                seen.append(clock.monotonic())

        async with running_pipeline(tmp_path, api, receiver, polls_of(before[0])) as poller:
            await watch(before[0])
            for plan in before[1:] if reload else ():
                await poller.apply_config(polls_of(plan), poller._runner.apis, Thresholds())
                await watch(plan)
            if reload:
                api.trainings["s1", ADDED] = "completed"
                await poller.apply_config(polls_of(last), poller._runner.apis, Thresholds())
                await asyncio.sleep(SECONDS)
        for plan in () if reload else before[1:]:
            async with running_pipeline(tmp_path, api, receiver, polls_of(plan)):
                await watch(plan)
        if not reload:
            api.trainings["s1", ADDED] = "completed"
            async with running_pipeline(tmp_path, api, receiver, polls_of(last)):
                await asyncio.sleep(SECONDS)
        return the_change(receiver.events), last_seen(api, seen[-1])

    event, seen_at = run(main)
    assert event.after == seen_at
    assert event.late == (name != STAYED), "nobody polled it in the meantime"


def test_a_row_of_an_older_version_bounds_the_trainings_of_its_list_as_before(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> tuple[Event, datetime]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", version): "learning" for version in "123"}
        async with running_pipeline(tmp_path, api, receiver, polls_of("123")) as poller:
            await asyncio.sleep(SECONDS)
            (poll,) = polls_of("123")
            state = poller.cache.poll(poll.key)
            assert state.digest is not None
            object.__setattr__(state, "digest", state.digest[:32])
            poller.cache._unwritten_polls.add(state.key)
            seen_at = clock.monotonic()
        api.trainings["s1", ADDED] = "completed"
        async with running_pipeline(tmp_path, api, receiver, polls_of("123")):
            await asyncio.sleep(SECONDS)
        return the_change(receiver.events), last_seen(api, seen_at)

    event, seen_at = run(main)
    assert event.after == seen_at
