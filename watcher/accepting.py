"""End an asyncio server without losing a connection that it has just accepted."""

from __future__ import annotations

import asyncio
from typing import Final

ACCEPT_ITERATIONS: Final = 5
"""The iterations of the event loop until a server knows a connection that was just accepted."""


async def end_accepting(server: asyncio.Server) -> None:
    """Accept no more connections; those that were just accepted are known to the server's protocol afterwards."""
    loop = asyncio.get_running_loop()
    # Only then close: CPython forgets a connection whose accept is under way as the server closes (its `_attach`
    # asserts), and leaves it open, so its peer waits.
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    await _let_accepts_finish()
    server.close()
    # uvloop has no reader to remove: it accepts until here.
    await _let_accepts_finish()


async def _let_accepts_finish() -> None:
    for _ in range(ACCEPT_ITERATIONS):
        await asyncio.sleep(0)
