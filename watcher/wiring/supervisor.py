"""The stages as tasks: they turn for ever, and one that ends without being let go is a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

log = structlog.get_logger()

Stage = asyncio.Task[None]


class Supervisor:
    """Those at work; some may be let go and others taken on while the rest goes on."""

    def __init__(self) -> None:
        self._stages: set[Stage] = set()
        self._let_go: set[Stage] = set()
        self._ended = asyncio.Event()

    def start(self, stage: Coroutine[Any, Any, None]) -> Stage:
        """Let a stage turn."""
        task = asyncio.create_task(stage)
        self._stages.add(task)
        task.add_done_callback(self._note_end)
        return task

    def let_go(self, pipeline: Iterable[Stage]) -> None:
        """Expect these to end by themselves."""
        self._let_go |= set(pipeline) & self._stages

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``, or raise what ended a stage."""
        waits = [asyncio.create_task(event.wait()) for event in (stop, self._ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        for task in self._stages - self._let_go:
            if task.done():
                task.result()
                raise RuntimeError(f"a stage ended by itself: {task.get_coro()}")

    async def cancel(self, pipeline: Iterable[Stage] | None = None) -> None:
        """End these (all, when none are named) where they are."""
        ending = self._stages.copy() if pipeline is None else set(pipeline)
        self.let_go(ending)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _note_end(self, task: Stage) -> None:
        if task in self._let_go:
            self._let_go.discard(task)
            self._stages.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("stage.stop_failed", problem=repr(error))
        else:
            self._ended.set()
