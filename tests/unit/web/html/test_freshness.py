"""A value that was read for a page is kept for a second or longer: one read serves many requests, a failed one none."""

from __future__ import annotations

import asyncio
import gc

import pytest

from watcher.web.cpu_time import spend
from watcher.web.html.freshness import FRESH_SECONDS, FRESH_SECONDS_MAX, KEPT, REST, STALE, Kept

STALE_SECONDS = STALE * FRESH_SECONDS


class Reads:
    """Counts reads; each returns its number once it may end."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.fails = False
        self.cpu_seconds = 0.0

    async def __call__(self) -> int:
        self.count += 1
        spend(self.cpu_seconds)
        number = self.count
        await self.may_end.wait()
        if self.fails:
            raise OSError("unreadable")
        return number


class Clock:
    """A clock that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_requests_within_a_second_share_one_read() -> None:
    clock, reads = Clock(), Reads()
    kept = Kept[int](clock)
    assert await asyncio.gather(*(kept.get("a", reads) for _ in range(5))) == [1] * 5
    clock.seconds = FRESH_SECONDS - 0.01
    assert await kept.get("a", reads) == 1
    assert await kept.get("b", reads) == 2


async def test_an_older_value_is_returned_while_the_next_is_read_and_no_very_old_one() -> None:
    clock, reads = Clock(), Reads()
    kept = Kept[int](clock)
    assert await kept.get("a", reads) == 1
    clock.seconds = FRESH_SECONDS
    reads.may_end.clear()
    assert [await kept.get("a", reads), await kept.get("a", reads)] == [1, 1]
    await asyncio.sleep(0)
    assert reads.count == 2
    reads.may_end.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await kept.get("a", reads) == 2
    clock.seconds += STALE_SECONDS
    assert await kept.get("a", reads) == 3


async def is_fresh_at(age: float, cpu_seconds: float) -> bool:
    """Say whether a value of this age is returned whose read took so much CPU time."""
    clock, reads = Clock(), Reads()
    reads.cpu_seconds = cpu_seconds
    kept = Kept[int](clock)
    await kept.get("a", reads)
    clock.seconds = age
    await kept.get("a", reads)
    await asyncio.sleep(0)
    return reads.count == 1


async def test_a_value_whose_read_took_long_is_read_seldom() -> None:
    for cpu_seconds, fresh in ((0.0, FRESH_SECONDS), (0.2, REST * 0.2), (60.0, FRESH_SECONDS_MAX)):
        assert await is_fresh_at(fresh - 0.01, cpu_seconds)
        assert not await is_fresh_at(fresh, cpu_seconds)


async def test_an_older_dear_value_is_returned_for_longer_while_the_next_is_read() -> None:
    clock, reads = Clock(), Reads()
    kept = Kept[int](clock)
    reads.cpu_seconds = 0.2
    await kept.get("a", reads)
    reads.may_end.clear()
    clock.seconds = STALE * REST * 0.2 - 0.01
    assert await kept.get("a", reads) == 1
    reads.may_end.set()
    clock.seconds += 0.01
    assert await kept.get("a", reads) == 2


async def test_a_change_makes_a_dear_value_read_anew_at_once() -> None:
    kept, reads = Kept[int](Clock()), Reads()
    reads.cpu_seconds = 60.0
    assert await kept.get("a", reads) == 1
    kept.clear()
    assert await kept.get("a", reads) == 2


async def test_a_page_counts_its_own_time_and_not_that_of_a_value_that_is_kept_as_well() -> None:
    clock, reads = Clock(), Reads()
    values, pages = Kept[int](clock), Kept[int](clock)
    reads.cpu_seconds = 60.0

    async def page() -> int:
        spend(0.1)
        return await values.get("a", reads)

    await pages.get("page", page)
    assert [kept._entries[key].fresh_seconds for kept, key in ((values, "a"), (pages, "page"))] == [
        FRESH_SECONDS_MAX,
        pytest.approx(REST * 0.1),
    ]


async def test_a_failed_read_is_repeated_by_the_next_request() -> None:
    kept, reads = Kept[int](Clock()), Reads()
    reads.fails = True
    with pytest.raises(OSError, match="unreadable"):
        await kept.get("a", reads)
    reads.fails = False
    assert await kept.get("a", reads) == 2


async def test_after_a_change_everything_is_read_anew_and_few_pages_are_kept() -> None:
    kept, reads = Kept[int](Clock()), Reads()
    for number in range(KEPT + 1):
        await kept.get(number, reads)
    assert await kept.get(KEPT, reads) == KEPT + 1
    assert await kept.get(0, reads) == KEPT + 2
    kept.clear()
    assert await kept.get(KEPT, reads) == KEPT + 3


async def test_an_older_value_is_not_returned_for_ever_while_a_read_does_not_end() -> None:
    clock, reads = Clock(), Reads()
    kept = Kept[int](clock)
    await kept.get("a", reads)
    clock.seconds = FRESH_SECONDS
    reads.may_end.clear()
    assert await kept.get("a", reads) == 1
    clock.seconds = STALE_SECONDS
    waiting = asyncio.ensure_future(kept.get("a", reads))
    await asyncio.sleep(0)
    assert not waiting.done()
    reads.may_end.set()
    assert await waiting == 2


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_read_that_fails_after_its_request_has_ended_is_not_reported_as_lost(*, cancelled: bool) -> None:
    lost: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: lost.append(context["message"]))
    kept, reads = Kept[int](Clock()), Reads()
    reads.fails = True
    reads.may_end.clear()
    request = asyncio.ensure_future(kept.get("a", reads))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    reading = kept._entries["a"].task
    if cancelled:
        reading.cancel()
    reads.may_end.set()
    await asyncio.wait([reading])
    # A failure that nobody has read is reported when the task is removed from memory.
    kept.clear()
    del reading
    gc.collect()
    assert lost == []
    reads.fails = False
    assert await kept.get("a", reads) == 2
