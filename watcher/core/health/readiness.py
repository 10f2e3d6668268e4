"""How the watcher itself is: what the store says of it, and which reasons there are to call it unwell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from watcher.core.delivery.model import State
from watcher.core.training.model import TrainingRef

NAMED: Final = 3
"""So many of a kind are named in a reason; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The deliveries of one receiver in one state."""

    receiver: str
    state: State
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStats:
    """What the store says at one moment."""

    in_progress: Sequence[tuple[TrainingRef, str]] = ()
    """Trainings under way, each with its status word."""
    queues: Sequence[Queue] = ()
    incidents: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many are open, by cause."""
    unannounced: Sequence[str] = ()
    """Subjects that something is wrong with and that nobody was told about, e.g. ``account:main``."""
    unannounced_dead_letters: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many deliveries were given up without anybody being told, by receiver."""
    store_bytes: int = 0


class NotReady(StrEnum):
    """Why the watcher is not well; the word stands in ``/readyz``, the log and the metric."""

    STORE = "store-unreadable"
    STORE_FAILING = "store-failing"
    LOOP = "loop-late"
    FIRST_ROUND = "first-round-pending"
    PROBLEM_UNANNOUNCED = "problem-unannounced"
    DEAD = "dead-letters-unannounced"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReadyReason:
    """One reason, with what it is about."""

    not_ready: NotReady
    detail: str


def not_ready_reasons(
    health_stats: HealthStats | None,
    late: Mapping[str, float],
    *,
    first_round_done: bool,
    store_failing: str | None = None,
) -> tuple[NotReadyReason, ...]:
    """Return every reason to call the watcher unwell, the gravest first; none while all is well.

    Args:
        health_stats: what the store says; ``None`` when it could not be read.
        late: the loops that did not come back, each with the seconds it is overdue.
        first_round_done: whether each target was looked at once since the start.
        store_failing: why the store cannot be written, e.g. ``disk-full``.
    """
    found = []
    if health_stats is None:
        found.append(NotReadyReason(not_ready=NotReady.STORE, detail="the store cannot be read; see the log"))
    if store_failing is not None:
        found.append(
            NotReadyReason(not_ready=NotReady.STORE_FAILING, detail=f"the store cannot be written: {store_failing}")
        )
    if late:
        words = [f"{loop} ({seconds:.0f} s)" for loop, seconds in late.items()]
        found.append(NotReadyReason(not_ready=NotReady.LOOP, detail=f"overdue: {_few(words)}"))
    if not first_round_done:
        found.append(
            NotReadyReason(not_ready=NotReady.FIRST_ROUND, detail="not everything was looked at since the start")
        )
    if health_stats is not None and health_stats.unannounced:
        found.append(
            NotReadyReason(
                not_ready=NotReady.PROBLEM_UNANNOUNCED,
                detail=f"nobody was told yet of: {_few(health_stats.unannounced)}",
            )
        )
    if health_stats is not None and health_stats.unannounced_dead_letters:
        words = [f"{count} to {receiver}" for receiver, count in health_stats.unannounced_dead_letters.items()]
        found.append(NotReadyReason(not_ready=NotReady.DEAD, detail=f"given up, and nobody was told: {_few(words)}"))
    return tuple(found)


def _few(words: Sequence[str]) -> str:
    more = len(words) - NAMED
    named = ", ".join(words[:NAMED])
    return f"{named} and {more} more" if more > 0 else named
