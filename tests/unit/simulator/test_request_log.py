from __future__ import annotations

import asyncio
from collections import deque

from watcher.simulator.calls import CallKind
from watcher.simulator.gateway import Refusal
from watcher.simulator.request_log import CallTimes, RequestLog


def test_calls_are_counted_by_key_and_kind_with_their_times() -> None:
    log = RequestLog()
    log.note("one", CallKind.VIEW, 1.0)
    log.note("two", CallKind.VIEW, 2.0)
    log.note("one", CallKind.VIEW, 3.0)
    log.note("one", None, 4.0)
    log.note_refusal(Refusal.SIGNATURE_WRONG)
    assert log.as_document() == {
        "total": 4,
        "keys": {
            "one": {"view": {"count": 2, "times": [1.0, 3.0]}, "(other)": {"count": 1, "times": [4.0]}},
            "two": {"view": {"count": 1, "times": [2.0]}},
        },
        "refused": {"signature-wrong": 1},
    }


def test_counts_and_times_can_be_asked_for_by_kind() -> None:
    log = RequestLog()
    log.note("one", CallKind.VIEW, 3.0)
    log.note("two", CallKind.LIST, 1.0)
    log.note("two", CallKind.SERVICES, 2.0)
    assert (log.count(), log.count(CallKind.VIEW), log.count(CallKind.VIEW, CallKind.LIST)) == (3, 1, 2)
    assert log.times() == [1.0, 2.0, 3.0]
    assert log.times(CallKind.VIEW, CallKind.LIST) == [1.0, 3.0]


def test_only_the_latest_times_are_kept_while_the_count_goes_on() -> None:
    calls = CallTimes(times=deque(maxlen=3))
    for moment in range(5):
        calls.note(float(moment))
    assert (calls.count, list(calls.times)) == (5, [2.0, 3.0, 4.0])


def test_the_times_of_a_log_have_a_bound() -> None:
    assert CallTimes().times.maxlen is not None


def test_a_reset_prunes_everything() -> None:
    log = RequestLog()
    log.note("one", CallKind.VIEW, 1.0)
    log.note_refusal(Refusal.KEY_UNKNOWN)
    log.reset()
    assert log.as_document() == {"total": 0, "keys": {}, "refused": {}}


async def test_one_can_wait_until_so_many_calls_came() -> None:
    log = RequestLog()
    waiting = asyncio.create_task(log.wait_for(2, CallKind.VIEW))
    for kind in (CallKind.VIEW, CallKind.LIST):
        log.note("one", kind, 1.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    log.note("one", CallKind.VIEW, 2.0)
    await waiting
