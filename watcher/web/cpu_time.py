"""Counts the CPU time of a page, in the thread that reads for it and in the one that renders it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class CpuTime:
    """CPU time in seconds, as far as it was counted."""

    seconds: float = 0.0


_counter: Final[ContextVar[CpuTime | None]] = ContextVar("counter", default=None)
"""A context and not a parameter: ``asyncio.to_thread`` hands it to the thread of a read."""


@contextmanager
def counting(total: CpuTime) -> Iterator[None]:
    """Add to ``total`` what is spent inside, in this task and the threads that it awaits."""
    token = _counter.set(total)
    try:
        yield
    finally:
        _counter.reset(token)


@contextmanager
def spending() -> Iterator[None]:
    """Count the CPU time of the work inside, which awaits nothing."""
    before = time.thread_time()
    try:
        yield
    finally:
        spend(time.thread_time() - before)


def spend(seconds: float) -> None:
    """Count CPU time that was spent."""
    total = _counter.get()
    if total is not None:
        total.seconds += seconds
