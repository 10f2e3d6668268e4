"""A poll writes what changed: the row of the poll says when the unchanged trainings were last seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.virtual import START, FakeApi, FakeReceiver, VirtualClock, run, running_pipeline, service_polls
from tests.support.written_batches import written
from watcher.core.batch import Batch
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.training.model import TrainingRef
from watcher.http import HttpResult
from watcher.pipeline.polling.poller import Poller

COUNT = 12
REFS = [TrainingRef("main", "s1", "pop", f"v{number:02}") for number in range(COUNT)]
WHOLE = service_polls(["s1"])
JOINED = [replace(WHOLE[0], whole_service=False, single=dict.fromkeys(REFS, WatchAttributes()))]
SINGLE = [replace(WHOLE[0], training=ref) for ref in REFS]
LISTS: Mapping[str, list[Poll]] = {"whole service": WHOLE, "single trainings": JOINED}
PLANS: Mapping[str, list[Poll]] = {**LISTS, "views": SINGLE}

Move = Callable[[FakeApi], None]


def set_statuses(statuses: Mapping[int, str]) -> Move:
    return lambda api: api.trainings.update({("s1", REFS[number].version): to for number, to in statuses.items()})


def sweep(folder: Path, polls: Sequence[Poll], move: Move) -> list[Batch]:
    """Return the batches of one sweep in which trainings move, after two sweeps without a change."""

    async def main(clock: VirtualClock) -> list[Batch]:
        api = FakeApi(clock)
        api.trainings = {("s1", ref.version): "waiting" for ref in REFS}
        async with running_pipeline(folder, api, FakeReceiver(), polls, tick_seconds=1):
            await asyncio.sleep(40)
            with written() as batches:
                move(api)
                await asyncio.sleep(35)
            return batches

    return run(main)


@pytest.mark.parametrize("polls", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("changed", [1, 3, COUNT])
def test_a_list_writes_a_snapshot_and_an_event_for_each_changed_training_and_the_row_of_the_poll(
    tmp_path: Path, polls: Sequence[Poll], changed: int
) -> None:
    batches = sweep(tmp_path, polls, set_statuses(dict.fromkeys(range(changed), "learning")))
    assert sum(len(batch.snapshots) for batch in batches) == changed
    assert sum(len(batch.events) for batch in batches) == changed
    assert [state.key for batch in batches if batch.events for state in batch.polls] == [polls[0].key]


@pytest.mark.parametrize("polls", PLANS.values(), ids=PLANS)
def test_an_unchanged_answer_writes_the_row_of_its_poll_alone(tmp_path: Path, polls: Sequence[Poll]) -> None:
    batches = sweep(tmp_path, polls, lambda _: None)
    assert {state.key for batch in batches for state in batch.polls} == {poll.key for poll in polls}
    assert not any(batch.snapshots or batch.events for batch in batches)


def test_the_rows_of_all_unchanged_polls_of_a_second_are_one_write(tmp_path: Path) -> None:
    services = [f"s{number}" for number in range(8)]

    async def main(clock: VirtualClock) -> list[Batch]:
        api = FakeApi(clock)
        api.trainings = {(service, "v"): "waiting" for service in services}
        polls = service_polls(services, 0.2)
        async with running_pipeline(tmp_path, api, FakeReceiver(), polls, tick_seconds=0.1):
            await asyncio.sleep(5)
            with written() as batches:
                await asyncio.sleep(10)
            return batches

    batches = run(main)
    assert len(batches) <= 11
    assert all(len(batch.polls) == len(services) and not batch.snapshots for batch in batches)


def test_a_list_in_another_order_writes_the_row_of_its_poll_alone(tmp_path: Path) -> None:
    def reverse(api: FakeApi) -> None:
        api.trainings = dict(reversed(api.trainings.items()))

    batches = sweep(tmp_path, WHOLE, reverse)
    assert not any(batch.snapshots or batch.events for batch in batches)
    assert {state.key for batch in batches for state in batch.polls} == {WHOLE[0].key}


def test_a_record_that_changes_without_its_status_writes_one_snapshot(tmp_path: Path) -> None:
    def recreate(api: FakeApi) -> None:
        api.created["s1", REFS[4].version] = api.clock.utc_now() + timedelta(hours=1)

    batches = sweep(tmp_path, WHOLE, recreate)
    assert [snapshot.ref for batch in batches for snapshot in batch.snapshots] == [REFS[4]]
    assert not any(batch.events for batch in batches)


VICTIM = REFS[5]
OTHER = REFS[7]
PAIR = [replace(JOINED[0], single=dict.fromkeys((VICTIM, OTHER), WatchAttributes()))]
VIEW = [SINGLE[5]]


@dataclass
class Scene:
    """A run of one training that stays as it is for a while, and of others that change meanwhile."""

    folder: Path
    api: FakeApi
    receiver: FakeReceiver = field(default_factory=FakeReceiver)
    hides: bool = False
    """Whether lists show the victim's record without a status."""
    seen: list[float] = field(default_factory=list)
    """The starts of the requests whose answers showed the victim, in virtual seconds."""

    def fault(self, _now: float, path: str) -> HttpResult | None:
        asked_at = self.api.request_times[-1]
        if path.endswith("/trains"):
            document = self.api.document(path)
            assert isinstance(document, dict)
            if self.hides:
                items = [
                    {**item, "status": None} if item["version"] == VICTIM.version else item
                    for item in document["trains"]
                ]
                return self.api.answer(200, {**document, "trains": items})
            self.seen.append(asked_at)
        elif path.endswith(VICTIM.version):
            self.seen.append(asked_at)
        return None

    def set(self, ref: TrainingRef, status: str) -> None:
        self.api.trainings["s1", ref.version] = status

    def running(self, polls: Sequence[Poll]) -> AbstractAsyncContextManager[Poller]:
        return running_pipeline(self.folder, self.api, self.receiver, polls, tick_seconds=1)

    async def pass_by(self, seconds: float) -> None:
        """Let the record of another training change in each sweep."""
        for number in range(int(seconds / 15)):
            self.api.created["s1", OTHER.version] = START + timedelta(seconds=number)
            await asyncio.sleep(15)

    async def unseen(self, change: Callable[[], None], restore: Callable[[], None]) -> None:
        """Change the victim for one answer, which does not count as one that showed its status."""
        seen, self.seen = self.seen, []
        change()
        while not self.seen:
            await asyncio.sleep(1)
        self.seen = seen
        restore()

    async def end(self) -> tuple[float, float]:
        """Let the victim change; return the bound in its event, and the last request that showed the old status."""
        last = max(self.seen)
        self.set(VICTIM, "learning")
        await self.pass_by(75)
        (event,) = [event for event in self.receiver.events if event.version == VICTIM.version]
        assert event.after is not None
        return (event.after - START).total_seconds(), last


Life = Callable[[Scene], Awaitable[None]]


async def unchanged(scene: Scene) -> None:
    await scene.pass_by(150)


async def hidden(scene: Scene) -> None:
    await scene.pass_by(60)
    scene.hides = True
    await scene.pass_by(90)


async def hidden_for_a_time(scene: Scene) -> None:
    await hidden(scene)
    scene.hides = False
    await scene.pass_by(90)


async def absent_for_one_answer(scene: Scene) -> None:
    await scene.pass_by(60)
    name = ("s1", VICTIM.version)
    await scene.unseen(lambda: scene.api.trainings.__delitem__(name), lambda: scene.set(VICTIM, "waiting"))
    await scene.pass_by(90)


async def unconfirmed_for_one_answer(scene: Scene) -> None:
    await scene.pass_by(60)
    await scene.unseen(lambda: scene.set(VICTIM, "requesting"), lambda: scene.set(VICTIM, "waiting"))
    await scene.pass_by(90)


LIVES = [unchanged, hidden, hidden_for_a_time, absent_for_one_answer, unconfirmed_for_one_answer]


def bounds(folder: Path, life: Life, polls: Sequence[Poll], later: Sequence[Poll] | None = None) -> tuple[float, float]:
    """Return the bound of a change and the true one; ``later`` are the polls of a watcher that starts afterwards."""

    async def main(clock: VirtualClock) -> tuple[float, float]:
        api = FakeApi(clock)
        api.trainings = {("s1", ref.version): "waiting" for ref in (VICTIM, OTHER)}
        scene = Scene(folder, api)
        api.fault = scene.fault
        async with scene.running(polls):
            await life(scene)
            if later is None:
                return await scene.end()
        async with scene.running(later):
            return await scene.end()

    return run(main)


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("polls", [WHOLE, PAIR, VIEW], ids=PLANS)
def test_a_change_came_after_the_last_request_with_the_old_status(
    tmp_path: Path, polls: Sequence[Poll], life: Life
) -> None:
    bound, last = bounds(tmp_path, life, polls)
    assert bound == pytest.approx(last, abs=1e-3)


@pytest.mark.parametrize("life", [unchanged, hidden])
@pytest.mark.parametrize(
    ("polls", "later"), [(WHOLE, WHOLE), (WHOLE, VIEW), (WHOLE, PAIR), (VIEW, WHOLE), (VIEW, PAIR)]
)
def test_a_start_knows_the_last_request_also_of_another_plan(
    tmp_path: Path, polls: Sequence[Poll], later: Sequence[Poll], life: Life
) -> None:
    bound, last = bounds(tmp_path, life, polls, later)
    assert bound == pytest.approx(last, abs=1e-3)


def test_the_row_of_an_earlier_plan_does_not_widen_the_bounds(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> tuple[float, float]:
        api = FakeApi(clock)
        api.trainings = {("s1", ref.version): "requesting" for ref in (VICTIM, OTHER)}
        scene = Scene(tmp_path, api)
        api.fault = scene.fault
        async with scene.running(WHOLE):
            await scene.pass_by(15)
        await asyncio.sleep(3600)
        async with scene.running(PAIR):
            await scene.pass_by(45)
            changed_at = clock.monotonic()
            scene.set(VICTIM, "waiting")
            await scene.pass_by(45)
        scene.receiver.messages.clear()
        async with scene.running(WHOLE):
            bound, _ = await scene.end()
        return bound, changed_at

    bound, changed_at = run(main)
    assert bound >= changed_at
