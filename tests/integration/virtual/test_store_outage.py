"""Trouble with the store is told from memory; whom that did not reach is told from the store, and nobody twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tests.support.virtual import Ear, VirtualClock, run
from watcher.core.delivery.model import Delivered, Outcome, Parcel, State, TryLater, Uncertain
from watcher.core.incidents.store_event import store_trouble
from watcher.core.routing.matcher import ALL_KINDS, Match
from watcher.core.routing.routes import Route, Routes
from watcher.pipeline.polling.cache import Memory
from watcher.pipeline.routing import Router
from watcher.pipeline.store_outage import Hearing, Herald, Storekeeper
from watcher.store.delivery_views import LetterFilter
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
from watcher.store.sqlite.database import Database, open_database
from watcher.store.views import HistoryFilter, open_views


class Room:
    """A store that cannot be written until it is mended."""

    def __init__(self) -> None:
        self.good = False

    async def fault(self, _now: float) -> str | None:
        return None if self.good else "disk-full"

    async def free_bytes(self) -> int:
        return 0

    async def mended(self, _now: datetime) -> bool:
        return self.good


class Looking:
    """Looks that are told to rest and to go on."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


@contextmanager
def keeping(
    folder: Path, clock: VirtualClock, ears: Sequence[Ear], room: Room, looking: Looking
) -> Iterator[tuple[Storekeeper, Database]]:
    by_name = {ear.name: ear for ear in ears}
    herald = Herald(by_name, everything_to(by_name))
    with closing(open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())) as database:
        memory = Memory(Polls(database))
        yield Storekeeper(room, memory, looking, clock, herald=herald, on_events=lambda: None), database


def everything_to(receivers: Iterable[str]) -> Routes:
    return Routes(routes=(Route(number=1, match=Match(kinds=frozenset({ALL_KINDS})), to=tuple(receivers)),))


async def see_trouble_and_its_end(keeper: Storekeeper, room: Room) -> None:
    await keeper.once()
    await asyncio.sleep(3)
    room.good = True
    await keeper.once()


def test_whom_the_telling_from_memory_did_not_reach_is_told_from_the_store(tmp_path: Path) -> None:
    heard, away = Ear(name="heard"), Ear(name="away", outcome=lambda _: TryLater(reason="http 503"))

    async def main(clock: VirtualClock) -> None:
        room, looking = Room(), Looking()
        with keeping(tmp_path, clock, [heard, away], room, looking) as (keeper, _):
            await see_trouble_and_its_end(keeper, room)
        assert looking.told == ["pause", "resume"]

    run(main)
    assert heard.kinds == ["store-trouble"]
    assert away.kinds == []
    with open_views(tmp_path / "watcher.db") as views:
        trouble, mended = views.history(HistoryFilter(limit=10))
    assert [handover.receiver for handover in trouble.handovers] == ["away"]
    assert trouble.route == "route 1; told-from-memory"
    assert (mended.event.kind, mended.routed_at) == ("store-mended", None)


def test_whom_the_telling_from_memory_may_have_reached_is_told_from_the_store_as_one_in_doubt(tmp_path: Path) -> None:
    heard, away = Ear(name="heard"), Ear(name="away", outcome=lambda _: TryLater(reason="http 503"))
    silent = Ear(name="silent", outcome=lambda _: Uncertain(reason="deadline"))

    async def main(clock: VirtualClock) -> None:
        room = Room()
        with keeping(tmp_path, clock, [heard, away, silent], room, Looking()) as (keeper, _):
            await see_trouble_and_its_end(keeper, room)

    run(main)
    with open_views(tmp_path / "watcher.db") as views:
        letters = views.deliveries(LetterFilter(states=frozenset(State)))
    assert {letter.receiver: (letter.state, letter.may_be_repeat) for letter in letters} == {
        "away": (State.PENDING, False),
        "silent": (State.UNCERTAIN, True),
    }


class Slow(Ear):
    """A receiver whose attempts take their time."""

    async def send(self, parcel: Parcel) -> Outcome:
        await asyncio.sleep(4)
        return await super().send(parcel)


def test_whoever_routes_as_the_store_is_mended_does_not_tell_again_what_was_told_from_memory(tmp_path: Path) -> None:
    heard, away = Ear(name="heard"), Slow(name="away", outcome=lambda _: TryLater(reason="http 503"))

    async def main(clock: VirtualClock) -> None:
        room, looking = Room(), Looking()
        with keeping(tmp_path, clock, [heard, away], room, looking) as (keeper, database):
            receivers = {"heard": heard, "away": away}
            router = Router(Outbox(database), everything_to(receivers), receivers, clock, lambda: None)
            await keeper.once()
            await asyncio.sleep(1)
            room.good = True
            mending = asyncio.create_task(keeper.once())
            while not mending.done():
                await router.drain()
                await asyncio.sleep(0.1)
            await mending
            await router.drain()
        assert looking.told == ["pause", "resume"]

    run(main)
    assert whom_each_was_handed_to(tmp_path) == [("store-trouble", ["away"]), ("store-mended", ["away", "heard"])]


def test_a_write_that_fails_as_the_store_is_mended_leaves_nothing_behind(tmp_path: Path) -> None:
    heard, away = Ear(name="heard"), Ear(name="away", outcome=lambda _: TryLater(reason="http 503"))

    async def main(clock: VirtualClock) -> None:
        room, looking = Room(), Looking()
        with keeping(tmp_path, clock, [heard, away], room, looking) as (keeper, database):
            await keeper.once()
            await asyncio.sleep(3)
            room.good = True
            whole = database.write
            for passing in range(2):
                database.write = failing_after(passing, whole)  # type: ignore[method-assign]  # for this moment
                # Until everything is written, or nothing is.
                with suppress(OSError):
                    await keeper.once()
            database.write = whole  # type: ignore[method-assign]
            await keeper.once()
        assert looking.told == ["pause", "resume"]

    run(main)
    assert whom_each_was_handed_to(tmp_path) == [("store-trouble", ["away"]), ("store-mended", [])]


def failing_after(passing: int, whole: Callable[..., Any]) -> Callable[..., Any]:
    """Return a way to write that so many writes pass and no more."""
    passed = 0

    async def write(work: Callable[[Connection], Any]) -> Any:
        nonlocal passed
        if passed == passing:
            raise OSError
        passed += 1
        return await whole(work)

    return write


def whom_each_was_handed_to(folder: Path) -> list[tuple[str, list[str]]]:
    with open_views(folder / "watcher.db") as views:
        told = views.history(HistoryFilter(limit=10))
    return [(item.event.kind.value, sorted(handover.receiver for handover in item.handovers)) for item in told]


def test_another_trouble_has_another_id_also_where_the_first_was_never_recorded(tmp_path: Path) -> None:
    ear = Ear(name="hook")

    async def main(clock: VirtualClock) -> None:
        for _ in range(2):
            with keeping(tmp_path, clock, [ear], Room(), Looking()) as (keeper, _):
                await keeper.once()
                await asyncio.sleep(3)

    run(main)
    assert ear.kinds == ["store-trouble"] * 2
    assert len({event.id for event in ear.events}) == len({item.webhook_id for item in ear.received}) == 2


def test_after_an_attempt_without_an_answer_the_next_one_from_memory_may_be_a_repeat() -> None:
    marks: list[bool] = []
    away = TryLater(reason="connect")
    answers: Iterator[Outcome] = iter([away, Uncertain(reason="reset"), away, Delivered()])

    def answer(parcel: Parcel) -> Outcome:
        marks.append(parcel.may_be_repeat)
        return next(answers)

    async def main(clock: VirtualClock) -> None:
        hearing = Hearing()
        trouble = store_trouble("disk-full", "", "e", 1, clock.utc_now())
        await Herald({"chat": Ear(name="chat", outcome=answer)}, everything_to(["chat"])).tell(trouble, hearing)
        assert hearing.surely == {"chat"}

    run(main)
    assert marks == [False, False, True, True]
