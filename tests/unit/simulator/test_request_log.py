from __future__ import annotations

import asyncio
from collections import deque

from watcher.simulator.calls import CallKind
from watcher.simulator.gateway import Rejection
from watcher.simulator.request_log import CallTimes, RequestLog


def test_calls_are_counted_by_key_and_kind_with_their_times() -> None:
    log = RequestLog()
    log.add("one", CallKind.VIEW, 1.0)
    log.add("two", CallKind.VIEW, 2.0)
    log.add("one", CallKind.VIEW, 3.0)
    log.add("one", None, 4.0)
    log.count_rejection(Rejection.SIGNATURE_WRONG)
    assert log.as_document() == {
        "total": 4,
        "keys": {
            "one": {"view": {"count": 2, "times": [1.0, 3.0]}, "(other)": {"count": 1, "times": [4.0]}},
            "two": {"view": {"count": 1, "times": [2.0]}},
        },
        "refused": {"signature-wrong": 1},
    }


def test_counts_and_times_are_available_by_kind() -> None:
    log = RequestLog()
    log.add("one", CallKind.VIEW, 3.0)
    log.add("two", CallKind.LIST, 1.0)
    log.add("two", CallKind.SERVICES, 2.0)
    assert (log.count(), log.count(CallKind.VIEW), log.count(CallKind.VIEW, CallKind.LIST)) == (3, 1, 2)
    assert log.times() == [1.0, 2.0, 3.0]
    assert log.times(CallKind.VIEW, CallKind.LIST) == [1.0, 3.0]


def test_only_the_latest_times_are_kept_but_every_call_is_counted() -> None:
    calls = CallTimes(times=deque(maxlen=3))
    for second in range(5):
        calls.add(float(second))
    assert (calls.count, list(calls.times)) == (5, [2.0, 3.0, 4.0])


def test_the_number_of_kept_times_is_limited() -> None:
    assert CallTimes().times.maxlen is not None


def test_a_reset_clears_the_log() -> None:
    log = RequestLog()
    log.add("one", CallKind.VIEW, 1.0)
    log.count_rejection(Rejection.KEY_UNKNOWN)
    log.reset()
    assert log.as_document() == {"total": 0, "keys": {}, "refused": {}}


async def test_a_caller_can_wait_for_a_number_of_calls() -> None:
    log = RequestLog()
    waiting = asyncio.create_task(log.wait_for(2, CallKind.VIEW))
    for kind in (CallKind.VIEW, CallKind.LIST):
        log.add("one", kind, 1.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    log.add("one", CallKind.VIEW, 2.0)
    await waiting
