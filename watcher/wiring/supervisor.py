"""The stages as tasks: each runs until it is stopped, and one that ends earlier is a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

log = structlog.get_logger()

Stage = asyncio.Task[None]


class Supervisor:
    """Starts and cancels stages, and raises the error of a stage that ends unexpectedly."""

    def __init__(self) -> None:
        self._stages: set[Stage] = set()
        self._may_end: set[Stage] = set()
        self._ended = asyncio.Event()

    def start(self, stage: Coroutine[Any, Any, None]) -> Stage:
        """Start a stage as a task."""
        task = asyncio.create_task(stage)
        self._stages.add(task)
        task.add_done_callback(self._note_end)
        return task

    def expect_end(self, stages: Iterable[Stage]) -> None:
        """Let these stages end without a fault; the others go on."""
        self._may_end |= set(stages) & self._stages

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``.

        Raises:
            Exception: the error of a stage that failed.
            RuntimeError: a stage ended unexpectedly without an error.
        """
        waits = [asyncio.create_task(event.wait()) for event in (stop, self._ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        for task in self._stages - self._may_end:
            if task.done():
                task.result()
                raise RuntimeError(f"a stage ended unexpectedly: {task.get_coro()}")

    async def cancel(self, stages: Iterable[Stage] | None = None) -> None:
        """Cancel these stages, or all without an argument, and wait for their end."""
        ending = self._stages.copy() if stages is None else set(stages)
        # Before the cancellation: otherwise the end of each would count as a fault.
        self.expect_end(ending)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _note_end(self, task: Stage) -> None:
        if task in self._may_end:
            self._may_end.discard(task)
            self._stages.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("stage.stop_failed", problem=repr(error))
        else:
            self._ended.set()
