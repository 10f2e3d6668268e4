"""A store failure is announced from memory, then from the store to receivers not reached, and to none twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection

from tests.support.virtual import FakeReceiver, VirtualClock, run
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, TryLater, Uncertain
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.incidents.store_event import store_failing
from watcher.core.routing.matcher import ALL_KINDS, Matcher
from watcher.core.routing.reason import RoutingCode, RoutingReason
from watcher.core.routing.routes import Route, Routes
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.routing import Router
from watcher.pipeline.store_outage import DirectNotifier, Receipts, StoreOutageHandler
from watcher.store.delivery.views import DeliveryFilter
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database
from watcher.store.url import sqlite_url
from watcher.store.views import HistoryFilter, open_views


class WriteHealth:
    """A store that cannot be written until ``good`` is set."""

    def __init__(self) -> None:
        self.good = False
        self.writing = asyncio.Event()
        self.checks = 0

    async def until_write(self, at_most_seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.writing.wait(), at_most_seconds)
        return self.writing.is_set()

    async def fault(self, _now: float) -> str | None:
        self.checks += 1
        return None if self.good else "disk-full"

    async def free_bytes(self) -> int:
        return 0

    async def recovered(self, _now: datetime) -> bool:
        return self.good


class Polling:
    """Records pauses and resumptions of polling."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


@contextmanager
def keeping(
    folder: Path, clock: VirtualClock, ears: Sequence[FakeReceiver], write_health: WriteHealth, polling: Polling
) -> Iterator[tuple[StoreOutageHandler, Database]]:
    by_name = {ear.name: ear for ear in ears}
    notifier = DirectNotifier(by_name, everything_to(by_name))
    with closing(open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())) as database:
        cache, outbox = PollCache(PollStore(database)), Outbox(database)
        handler = StoreOutageHandler(
            write_health, cache, outbox, polling, clock, notifier=notifier, on_events=lambda: None
        )
        yield handler, database


def everything_to(receivers: Iterable[str]) -> Routes:
    return Routes(routes=(Route(number=1, match=Matcher(kinds=frozenset({ALL_KINDS})), to=tuple(receivers)),))


async def see_outage_and_its_end(store_outage: StoreOutageHandler, write_health: WriteHealth) -> None:
    await store_outage.once()
    await asyncio.sleep(3)
    write_health.good = True
    await store_outage.once()


def test_receivers_not_reached_from_memory_are_notified_from_the_store(tmp_path: Path) -> None:
    heard, away = (
        FakeReceiver(name="heard"),
        FakeReceiver(name="away", outcome=lambda _: TryLater(reason=text_reason("http 503"))),
    )

    async def main(clock: VirtualClock) -> None:
        write_health, polling = WriteHealth(), Polling()
        with keeping(tmp_path, clock, [heard, away], write_health, polling) as (store_outage, _):
            await see_outage_and_its_end(store_outage, write_health)
        assert polling.calls == ["pause", "resume"]

    run(main)
    assert heard.kinds == ["store-failing"]
    assert away.kinds == []
    with open_views(sqlite_url(tmp_path / "watcher.db")) as views:
        failure, recovered = views.history(HistoryFilter(limit=10))
    assert [delivery_outcome.receiver for delivery_outcome in failure.delivery_outcomes] == ["away"]
    assert failure.route == RoutingReason(code=RoutingCode.SENT_FROM_MEMORY, routes=(1,))
    assert (recovered.event.kind, recovered.routed_at) == ("store-recovered", None)


def test_a_receiver_without_an_answer_is_notified_from_the_store_as_uncertain(
    tmp_path: Path,
) -> None:
    heard, away = (
        FakeReceiver(name="heard"),
        FakeReceiver(name="away", outcome=lambda _: TryLater(reason=text_reason("http 503"))),
    )
    silent = FakeReceiver(name="silent", outcome=lambda _: Uncertain(reason=text_reason("deadline")))

    async def main(clock: VirtualClock) -> None:
        write_health = WriteHealth()
        with keeping(tmp_path, clock, [heard, away, silent], write_health, Polling()) as (store_outage, _):
            await see_outage_and_its_end(store_outage, write_health)

    run(main)
    with open_views(sqlite_url(tmp_path / "watcher.db")) as views:
        delivery_views = views.deliveries(DeliveryFilter(states=frozenset(State)))
    assert {delivery.receiver: (delivery.state, delivery.may_be_repeat) for delivery in delivery_views} == {
        "away": (State.PENDING, False),
        "silent": (State.UNCERTAIN, True),
    }


class Slow(FakeReceiver):
    """A receiver whose attempts take four seconds."""

    async def send(self, request: DeliveryRequest) -> Outcome:
        await asyncio.sleep(4)
        return await super().send(request)


def test_a_router_that_runs_during_the_recovery_notifies_no_receiver_twice(
    tmp_path: Path,
) -> None:
    heard, away = (
        FakeReceiver(name="heard"),
        Slow(name="away", outcome=lambda _: TryLater(reason=text_reason("http 503"))),
    )

    async def main(clock: VirtualClock) -> None:
        write_health, polling = WriteHealth(), Polling()
        with keeping(tmp_path, clock, [heard, away], write_health, polling) as (store_outage, database):
            receivers = {"heard": heard, "away": away}
            router = Router(Outbox(database), everything_to(receivers), receivers, clock, lambda: None)
            await store_outage.once()
            await asyncio.sleep(1)
            write_health.good = True
            recovering = asyncio.create_task(store_outage.once())
            while not recovering.done():
                await router.drain()
                await asyncio.sleep(0.1)
            await recovering
            await router.drain()
        assert polling.calls == ["pause", "resume"]

    run(main)
    assert receivers_of_each_event(tmp_path) == [("store-failing", ["away"]), ("store-recovered", ["away", "heard"])]


def test_a_failed_write_during_the_recovery_leaves_nothing(tmp_path: Path) -> None:
    heard, away = (
        FakeReceiver(name="heard"),
        FakeReceiver(name="away", outcome=lambda _: TryLater(reason=text_reason("http 503"))),
    )

    async def main(clock: VirtualClock) -> None:
        write_health, polling = WriteHealth(), Polling()
        with keeping(tmp_path, clock, [heard, away], write_health, polling) as (store_outage, database):
            await store_outage.once()
            await asyncio.sleep(3)
            write_health.good = True
            write_through = database.write
            for passing in range(2):
                database.write = failing_after(passing, write_through)  # type: ignore[method-assign]  # for this check
                # The write fails, and the next check tries again.
                with suppress(OSError):
                    await store_outage.once()
            database.write = write_through  # type: ignore[method-assign]
            await store_outage.once()
        assert polling.calls == ["pause", "resume"]

    run(main)
    assert receivers_of_each_event(tmp_path) == [("store-failing", ["away"]), ("store-recovered", [])]


def failing_after(passing: int, write_through: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``write`` that fails after so many writes."""
    passed = 0

    async def write(work: Callable[[Connection], Any]) -> Any:
        nonlocal passed
        if passed == passing:
            raise OSError
        passed += 1
        return await write_through(work)

    return write


def receivers_of_each_event(folder: Path) -> list[tuple[str, list[str]]]:
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        announced = views.history(HistoryFilter(limit=10))
    return [
        (item.event.kind.value, sorted(delivery_outcome.receiver for delivery_outcome in item.delivery_outcomes))
        for item in announced
    ]


def test_another_failure_has_another_id_even_if_the_first_was_never_recorded(tmp_path: Path) -> None:
    ear = FakeReceiver(name="hook")

    async def main(clock: VirtualClock) -> None:
        for _ in range(2):
            with keeping(tmp_path, clock, [ear], WriteHealth(), Polling()) as (store_outage, _):
                await store_outage.once()
                await asyncio.sleep(3)

    run(main)
    assert ear.kinds == ["store-failing"] * 2
    assert len({event.id for event in ear.events}) == len({item.webhook_id for item in ear.received}) == 2


def test_after_an_attempt_without_an_answer_the_next_one_may_be_a_repeat() -> None:
    marks: list[bool] = []
    away = TryLater(reason=text_reason("connect"))
    answers: Iterator[Outcome] = iter([away, Uncertain(reason=text_reason("reset")), away, Delivered()])

    def answer(request: DeliveryRequest) -> Outcome:
        marks.append(request.may_be_repeat)
        return next(answers)

    async def main(clock: VirtualClock) -> None:
        receipts = Receipts()
        failure = store_failing("disk-full", "", "e", 1, clock.utc_now())
        await DirectNotifier({"chat": FakeReceiver(name="chat", outcome=answer)}, everything_to(["chat"])).notify(
            failure, receipts
        )
        assert receipts.notified == {"chat"}

    run(main)
    assert marks == [False, False, True, True]


def test_the_log_names_a_failure_once_a_minute(tmp_path: Path) -> None:
    logged: list[str] = []

    async def main(clock: VirtualClock) -> None:
        write_health = WriteHealth()
        with (
            keeping(tmp_path, clock, [], write_health, Polling()) as (store_outage, _),
            structlog.testing.capture_logs() as lines,
        ):
            checking = asyncio.create_task(store_outage.run())
            await asyncio.sleep(150)
            checking.cancel()
            logged.extend(line["event"] for line in lines)

    run(main)
    assert logged == ["store.write_failed", "store.still_failing", "store.still_failing"]


def test_a_check_that_crashes_is_logged_once_a_minute(tmp_path: Path) -> None:
    logged: list[str] = []

    class Broken(WriteHealth):
        async def fault(self, _now: float) -> str | None:
            raise RuntimeError("a bug")

    async def main(clock: VirtualClock) -> None:
        with (
            keeping(tmp_path, clock, [], Broken(), Polling()) as (store_outage, _),
            structlog.testing.capture_logs() as lines,
        ):
            checking = asyncio.create_task(store_outage.run())
            await asyncio.sleep(100)
            checking.cancel()
            logged.extend(line["event"] for line in lines)

    run(main)
    assert logged == ["store.check_failed", "store.check_failed"]


@contextmanager
def checked_regularly(folder: Path, clock: VirtualClock, write_health: WriteHealth) -> Iterator[Polling]:
    polling = Polling()
    with keeping(folder, clock, [], write_health, polling) as (handler, _):
        checks = asyncio.create_task(handler.run())
        yield polling
        checks.cancel()


@pytest.mark.parametrize(("writing", "least", "most"), [(False, 11, 13), (True, 58, 61)])
def test_a_store_is_checked_each_second_while_it_is_written_and_every_five_seconds_otherwise(
    tmp_path: Path, *, writing: bool, least: int, most: int
) -> None:
    async def main(clock: VirtualClock) -> int:
        write_health = WriteHealth()
        write_health.good = True
        if writing:
            write_health.writing.set()
        with checked_regularly(tmp_path, clock, write_health):
            await asyncio.sleep(60)
        return write_health.checks

    assert least <= run(main) <= most


@pytest.mark.parametrize("after_seconds", [0.5, 3.0, 4.9])
def test_a_fault_is_noticed_within_a_second_of_the_next_write(tmp_path: Path, after_seconds: float) -> None:
    async def main(clock: VirtualClock) -> list[str]:
        write_health = WriteHealth()
        write_health.good = True
        with checked_regularly(tmp_path, clock, write_health) as polling:
            await asyncio.sleep(20 + after_seconds)
            write_health.good = False
            write_health.writing.set()
            await asyncio.sleep(1.1)
        return polling.calls

    assert run(main) == ["pause"]


def test_the_end_of_a_fault_is_noticed_within_a_second_without_a_write(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[str]:
        write_health = WriteHealth()
        with checked_regularly(tmp_path, clock, write_health) as polling:
            await asyncio.sleep(20)
            write_health.good = True
            await asyncio.sleep(1.1)
        return polling.calls

    assert run(main) == ["pause", "resume"]
