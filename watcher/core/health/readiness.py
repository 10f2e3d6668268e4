"""Readiness: the reasons why the watcher is not ready, from the store's statistics and its loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from watcher.core.delivery.model import State
from watcher.core.training.model import TrainingRef

NAMED: Final = 3
"""Items that one reason names; further ones are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The deliveries of one receiver in one state."""

    receiver: str
    state: State
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStats:
    """Statistics of the store at one time."""

    in_progress: Sequence[tuple[TrainingRef, str]] = ()
    """Trainings in progress, each with its status."""
    queues: Sequence[Queue] = ()
    incidents: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Open incidents, by cause."""
    unannounced: Sequence[str] = ()
    """Subjects with a problem that no receiver was notified of, e.g. ``account:main``."""
    unannounced_dead_letters: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Dead letters that no other receiver was notified of, by receiver."""
    store_bytes: int = 0


class NotReady(StrEnum):
    """The codes of reasons why the watcher is not ready; ``/readyz``, the log and the metric use their values."""

    STORE = "store-unreadable"
    STORE_FAILING = "store-failing"
    LOOP = "loop-late"
    FIRST_ROUND = "first-round-pending"
    PROBLEM_UNANNOUNCED = "problem-unannounced"
    DEAD = "dead-letters-unannounced"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReadyReason:
    """One reason, with the items that it concerns."""

    code: NotReady
    detail: str


def not_ready_reasons(
    health_stats: HealthStats | None,
    late: Mapping[str, float],
    *,
    first_round_done: bool,
    store_failing: str | None = None,
) -> tuple[NotReadyReason, ...]:
    """Return every reason why the watcher is not ready, the gravest first; empty while it is ready.

    Args:
        health_stats: The store's statistics; ``None`` where it could not be read.
        late: The overdue loops, each with the seconds that it is overdue.
        first_round_done: Whether everything was polled once since the start.
        store_failing: The code of a write failure, e.g. ``disk-full``; ``None`` while the store can be written.
    """
    found = []
    if health_stats is None:
        found.append(NotReadyReason(code=NotReady.STORE, detail="the store cannot be read; see the log"))
    if store_failing is not None:
        found.append(
            NotReadyReason(code=NotReady.STORE_FAILING, detail=f"the store cannot be written: {store_failing}")
        )
    if late:
        overdue = [f"{loop} ({seconds:.0f} s)" for loop, seconds in late.items()]
        found.append(NotReadyReason(code=NotReady.LOOP, detail=f"overdue: {_few(overdue)}"))
    if not first_round_done:
        found.append(NotReadyReason(code=NotReady.FIRST_ROUND, detail="not everything was polled since the start"))
    if health_stats is not None and health_stats.unannounced:
        found.append(
            NotReadyReason(
                code=NotReady.PROBLEM_UNANNOUNCED,
                detail=f"no receiver was notified of: {_few(health_stats.unannounced)}",
            )
        )
    if health_stats is not None and health_stats.unannounced_dead_letters:
        counts = [f"{count} to {receiver}" for receiver, count in health_stats.unannounced_dead_letters.items()]
        found.append(
            NotReadyReason(code=NotReady.DEAD, detail=f"dead letters that no receiver was notified of: {_few(counts)}")
        )
    return tuple(found)


def _few(items: Sequence[str]) -> str:
    more = len(items) - NAMED
    named = ", ".join(items[:NAMED])
    return f"{named} and {more} more" if more > 0 else named
