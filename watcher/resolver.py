"""Looking names up: each question is asked once at a time, in a thread of its own that nobody waits for at the end.

The system's resolver can take half a minute for a name whose servers are silent, and cannot be called off. Event loops
ask it on a few shared threads, so that some calls to one dark host would keep every other name waiting.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, cast

Answer = list[Any]
"""As ``socket.getaddrinfo`` returns it."""
Question = tuple[bytes | str | None, bytes | str | int | None, int, int, int, int]
"""Host, port, family, type, protocol, flags."""


class ThreadedResolver(asyncio.AbstractEventLoop):
    """How an event loop looks names up: with as many threads as there are different questions without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[Question, asyncio.Future[Answer]] = {}

    async def getaddrinfo(  # noqa: PLR0913 - the loop's signature
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - as above
        proto: int = 0,
        flags: int = 0,
    ) -> Answer:
        """Return the addresses of a name.

        Raises:
            OSError: there are none, or nobody could say.
        """
        question = (host, port, family, type, proto, flags)
        # Shielded, since others may wait for the same answer.
        return await asyncio.shield(self._asked.get(question) or self._ask(question))

    def _ask(self, question: Question) -> asyncio.Future[Answer]:
        answer = self.create_future()
        threading.Thread(target=self._look_up, args=(question, answer), name="names", daemon=True).start()
        self._asked[question] = answer
        answer.add_done_callback(lambda _: self._asked.pop(question))
        return answer

    def _look_up(self, question: Question, answer: asyncio.Future[Answer]) -> None:
        try:
            found, error = socket.getaddrinfo(*question), None
        except Exception as caught:  # noqa: BLE001 - whoever asks gets it: one that hears nothing would wait for ever
            found, error = [], caught
        # The loop may be gone by now.
        with suppress(RuntimeError):
            self.call_soon_threadsafe(_give, answer, found, error)


def _give(answer: asyncio.Future[Answer], found: Answer, error: Exception | None) -> None:
    if error is None:
        answer.set_result(found)
        return
    answer.set_exception(error)
    # Whoever asked may have gone at a deadline; then nobody reads it, and nobody needs to be told.
    answer.exception()


def with_threaded_resolver(loop: type[asyncio.AbstractEventLoop]) -> type[asyncio.AbstractEventLoop]:
    """Return the same kind of loop with this way of looking names up."""
    return cast("type[asyncio.AbstractEventLoop]", type(loop.__name__, (ThreadedResolver, loop), {}))
