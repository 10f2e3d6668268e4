"""Readiness: the reasons why the watcher is not ready, from the store's statistics and its loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from watcher.core.delivery.reason import Reason
from watcher.core.delivery.state import State
from watcher.core.plural import counted
from watcher.core.timestamps import to_text
from watcher.core.training.model import TrainingRef

SERIES_MAX: Final = 1_000
"""So many trainings in progress, and so many retrainings, have series of their own in the metrics."""
NAMED: Final = 3
"""Items that one reason names; further ones are counted."""
ROUTING: Final = timedelta(minutes=2)
"""Routing takes less than a second; an event without a route for longer shows that it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The deliveries of one receiver in one state."""

    receiver: str
    state: State
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingReceiver:
    """A receiver that gets nothing, or that refuses permanently."""

    name: str
    since: datetime
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingInProgress:
    """A training in progress."""

    ref: TrainingRef
    status: str
    since: datetime
    """The latest time at which it can have reached this status; for a baseline, when it was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStats:
    """Statistics of the store at one time."""

    in_progress: Sequence[TrainingInProgress] = ()
    """At most ``SERIES_MAX``: those that have been in progress for the longest time."""
    in_progress_counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    """All trainings in progress, by status."""
    queues: Sequence[Queue] = ()
    incidents: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Open incidents, by cause."""
    unannounced: Sequence[str] = ()
    """Subjects with a problem that no receiver was notified of, e.g. ``account:main``."""
    unannounced_dead_letters: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Dead letters that no other receiver was notified of, by receiver."""
    failing_receivers: Sequence[FailingReceiver] = ()
    unrouted: int = 0
    """Events without a route for longer than ``ROUTING``."""
    unrouted_since: datetime | None = None
    """The record of the oldest of them."""
    store_bytes: int = 0


class NotReady(StrEnum):
    """The codes of reasons why the watcher is not ready; ``/readyz``, the log and the metric use their values."""

    STORE = "store-unreadable"
    STORE_FAILING = "store-failing"
    LOOP = "loop-late"
    EVENTS_UNROUTED = "events-unrouted"
    RECEIVER_FAILING = "receiver-failing"
    FIRST_ROUND = "first-round-pending"
    PROBLEM_UNANNOUNCED = "problem-unannounced"
    DEAD = "dead-letters-unannounced"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReadyReason:
    """One reason, with the items that it concerns."""

    code: NotReady
    detail: str
    store_fault: str = ""
    """The code of a write fault of the store."""


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
    return (
        *_of_process(late, store_failing, readable=health_stats is not None),
        *_of_deliveries(health_stats or HealthStats()),
        *_of_start(first_round_done=first_round_done),
        *_of_announcements(health_stats or HealthStats()),
    )


def _of_process(late: Mapping[str, float], store_failing: str | None, *, readable: bool) -> Iterator[NotReadyReason]:
    yield from _of_store(store_failing, readable=readable)
    if late:
        overdue = [f"{loop} ({seconds:.0f} s)" for loop, seconds in late.items()]
        yield NotReadyReason(code=NotReady.LOOP, detail=f"overdue: {_few(overdue)}")


def _of_store(store_failing: str | None, *, readable: bool) -> Iterator[NotReadyReason]:
    """Yield one reason at most: a file that can neither be read nor written has one cause, and the write names it."""
    if not readable:
        known = "read; see the log" if store_failing is None else f"read or written: {store_failing}"
        yield NotReadyReason(
            code=NotReady.STORE, detail=f"the store cannot be {known}", store_fault=store_failing or ""
        )
    elif store_failing is not None:
        detail = f"the store cannot be written: {store_failing}"
        yield NotReadyReason(code=NotReady.STORE_FAILING, detail=detail, store_fault=store_failing)


def _of_deliveries(stats: HealthStats) -> Iterator[NotReadyReason]:
    if stats.unrouted:
        since = "" if stats.unrouted_since is None else f", the oldest since {to_text(stats.unrouted_since)}"
        detail = f"{counted(stats.unrouted, 'event is', 'events are')} not routed, so nobody is notified{since}"
        yield NotReadyReason(code=NotReady.EVENTS_UNROUTED, detail=detail)
    if stats.failing_receivers:
        from watcher.core.messages.reasons import reason_text  # noqa: PLC0415 - loads every text of a reason

        names = [f"{receiver.name} ({reason_text(receiver.reason)})" for receiver in stats.failing_receivers]
        yield NotReadyReason(code=NotReady.RECEIVER_FAILING, detail=f"failing: {_few(names)}")


def _of_start(*, first_round_done: bool) -> Iterator[NotReadyReason]:
    if not first_round_done:
        yield NotReadyReason(code=NotReady.FIRST_ROUND, detail="not everything was polled since the start")


def _of_announcements(stats: HealthStats) -> Iterator[NotReadyReason]:
    if stats.unannounced:
        detail = f"no receiver was notified of: {_few(stats.unannounced)}"
        yield NotReadyReason(code=NotReady.PROBLEM_UNANNOUNCED, detail=detail)
    if stats.unannounced_dead_letters:
        counts = [f"{count} to {receiver}" for receiver, count in stats.unannounced_dead_letters.items()]
        detail = f"dead letters that no receiver was notified of: {_few(counts)}"
        yield NotReadyReason(code=NotReady.DEAD, detail=detail)


def _few(items: Sequence[str]) -> str:
    more = len(items) - NAMED
    named = ", ".join(items[:NAMED])
    return f"{named} and {more} more" if more > 0 else named
