"""What was answered waits for the store, in the order in which it came."""

from __future__ import annotations

import asyncio

import pytest

from watcher.core.batch import NotSavedError
from watcher.pipeline.polling import write_queue as line
from watcher.pipeline.polling.write_queue import WriteQueue


class Store:
    """Refuses so many times, then keeps."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.kept: list[str] = []

    async def keep(self, answer: str) -> str:
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise NotSavedError("io-error")
        self.kept.append(answer)
        return answer


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "AGAIN_SECONDS", 0)


async def test_what_cannot_be_kept_is_tried_again_before_what_came_later() -> None:
    store, waiting = Store(refusals=5), WriteQueue()
    answers = ["first", "second", "third"]
    kept = await asyncio.gather(*(waiting.keep("main", lambda answer=answer: store.keep(answer)) for answer in answers))  # type: ignore[misc]
    assert (store.kept, list(kept)) == (answers, answers)


async def test_an_account_waits_for_no_other() -> None:
    away, here, waiting = Store(refusals=10**9), Store(refusals=0), WriteQueue()
    hung = asyncio.create_task(waiting.keep("away", lambda: away.keep("late")))
    assert await waiting.keep("here", lambda: here.keep("soon")) == "soon"
    hung.cancel()


async def test_a_command_that_polls_once_does_not_wait() -> None:
    waiting = WriteQueue()
    waiting.patient = False
    with pytest.raises(NotSavedError):
        await waiting.keep("main", lambda: Store(refusals=1).keep("answer"))


async def test_a_fault_of_the_program_lets_the_next_answer_have_its_turn() -> None:
    async def fall() -> None:
        raise ZeroDivisionError

    waiting = WriteQueue()
    with pytest.raises(ZeroDivisionError):
        await waiting.keep("main", fall)
    assert await waiting.keep("main", lambda: Store(refusals=0).keep("next")) == "next"
