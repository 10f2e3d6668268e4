"""Trouble with the store is told from memory; whom that did not reach is told from the store, and nobody twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.support.virtual import Ear, VirtualClock, run
from watcher.core.delivery import Delivered, Outcome, Parcel, TryLater, Uncertain
from watcher.core.matching import ALL_KINDS, Match
from watcher.core.routing import Route, Routes
from watcher.core.store_event import store_trouble
from watcher.flow.memory import Memory
from watcher.flow.storekeeper import Herald, Storekeeper
from watcher.store.database import open_database
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
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


def test_whom_the_telling_from_memory_did_not_reach_is_told_from_the_store(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        heard, away = Ear(name="heard"), Ear(name="away", outcome=lambda _: TryLater(reason="http 503"))
        ears = {ear.name: ear for ear in (heard, away)}
        everything = Match(kinds=frozenset({ALL_KINDS}))
        herald = Herald(ears, Routes(routes=(Route(number=1, match=everything, to=tuple(ears)),)))
        room, looking = Room(), Looking()
        database = open_database(tmp_path / "watcher.db", purpose="test", now=clock.utc_now())
        memory = Memory(Polls(database))
        keeper = Storekeeper(room, memory, Outbox(database), looking, clock, herald=herald, on_events=lambda: None)
        await keeper.once()
        await asyncio.sleep(3)
        room.good = True
        await keeper.once()
        assert looking.told == ["pause", "resume"]
        database.close()
        assert heard.kinds == ["store-trouble"]
        assert away.kinds == []

    run(main)
    with open_views(tmp_path / "watcher.db") as views:
        trouble, mended = views.history(HistoryFilter(limit=10))
    assert [handover.receiver for handover in trouble.handovers] == ["away"]
    assert trouble.route == "route 1; told-from-memory"
    assert (mended.event.kind, mended.routed_at) == ("store-mended", None)


def test_after_an_attempt_without_an_answer_the_next_one_from_memory_may_be_a_repeat() -> None:
    marks: list[bool] = []
    away = TryLater(reason="connect")
    answers: Iterator[Outcome] = iter([away, Uncertain(reason="reset"), away, Delivered()])

    def answer(parcel: Parcel) -> Outcome:
        marks.append(parcel.may_be_repeat)
        return next(answers)

    async def main(clock: VirtualClock) -> None:
        everything = Match(kinds=frozenset({ALL_KINDS}))
        routes = Routes(routes=(Route(number=1, match=everything, to=("chat",)),))
        told: set[str] = set()
        trouble = store_trouble("disk-full", "", "e", 1, clock.utc_now())
        await Herald({"chat": Ear(name="chat", outcome=answer)}, routes).tell(trouble, told)
        assert told == {"chat"}

    run(main)
    assert marks == [False, False, True, True]
