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
class Vitals:
    """What the store says at one moment."""

    in_progress: Sequence[tuple[TrainingRef, str]] = ()
    """Trainings under way, each with its status word."""
    queues: Sequence[Queue] = ()
    incidents: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many are open, by cause."""
    untold: Sequence[str] = ()
    """Subjects that something is wrong with and that nobody was told about, e.g. ``account:main``."""
    untold_dead: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many deliveries were given up without anybody being told, by receiver."""
    store_bytes: int = 0


class Ailment(StrEnum):
    """Why the watcher is not well; the word stands in ``/readyz``, the log and the metric."""

    STORE = "store-unreadable"
    STORE_TROUBLE = "store-trouble"
    LOOP = "loop-late"
    FIRST_ROUND = "first-round-pending"
    UNTOLD = "trouble-untold"
    DEAD = "dead-letters-untold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason, with what it is about."""

    ailment: Ailment
    detail: str


def ailments(
    vitals: Vitals | None, late: Mapping[str, float], *, first_round_done: bool, store_trouble: str | None = None
) -> tuple[Reason, ...]:
    """Return every reason to call the watcher unwell, the gravest first; none while all is well.

    Args:
        vitals: what the store says; ``None`` when it could not be read.
        late: the loops that did not come back, each with the seconds it is overdue.
        first_round_done: whether each target was looked at once since the start.
        store_trouble: why the store cannot be written, e.g. ``disk-full``.
    """
    found = []
    if vitals is None:
        found.append(Reason(ailment=Ailment.STORE, detail="the store cannot be read; see the log"))
    if store_trouble is not None:
        found.append(Reason(ailment=Ailment.STORE_TROUBLE, detail=f"the store cannot be written: {store_trouble}"))
    if late:
        words = [f"{loop} ({seconds:.0f} s)" for loop, seconds in late.items()]
        found.append(Reason(ailment=Ailment.LOOP, detail=f"overdue: {_few(words)}"))
    if not first_round_done:
        found.append(Reason(ailment=Ailment.FIRST_ROUND, detail="not everything was looked at since the start"))
    if vitals is not None and vitals.untold:
        found.append(Reason(ailment=Ailment.UNTOLD, detail=f"nobody was told yet of: {_few(vitals.untold)}"))
    if vitals is not None and vitals.untold_dead:
        words = [f"{count} to {receiver}" for receiver, count in vitals.untold_dead.items()]
        found.append(Reason(ailment=Ailment.DEAD, detail=f"given up, and nobody was told: {_few(words)}"))
    return tuple(found)


def _few(words: Sequence[str]) -> str:
    more = len(words) - NAMED
    named = ", ".join(words[:NAMED])
    return f"{named} and {more} more" if more > 0 else named
