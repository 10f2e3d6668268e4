"""Where AiTEMS differs from its documents without being wrong: said once, kept with a sample that holds no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from watcher.core.polling.result import PollResult

DEPTH_LIMIT: Final = 4
FIELD_LIMIT: Final = 60
DEVIATION_LIMIT: Final = 200
"""An API that makes up fields without end is not written down without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One difference."""

    description: str
    """What differs, e.g. ``new field: foo``."""
    poll: str
    """The look that showed it first."""
    seen_at: datetime
    sample: Mapping[str, object]
    """The names and types of a training's fields; no value of theirs."""


def deviations_in(seen: PollResult, known: frozenset[str], poll: str) -> tuple[Deviation, ...]:
    """Return the differences of an answer that are not known yet."""
    room = max(DEVIATION_LIMIT - len(known), 0)
    news = [description for description in seen.deviations if description not in known][:room]
    if not news:
        return ()
    sample = _sample(seen)
    return tuple(
        Deviation(description=description, poll=poll, seen_at=seen.answered_at, sample=sample) for description in news
    )


def _sample(seen: PollResult) -> Mapping[str, object]:
    """Join the shapes of all trainings of the answer, so that a field that few have is in it."""
    shape: dict[str, object] = {}
    for observation in seen.observations:
        for name, value in observation.record.items():
            if len(shape) < FIELD_LIMIT:
                shape.setdefault(name, shape_of(value))
    return shape


def shape_of(value: object, depth: int = 0) -> object:
    """Return the type's name in the place of every value."""
    if depth >= DEPTH_LIMIT:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): shape_of(item, depth + 1) for name, item in list(value.items())[:FIELD_LIMIT]}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shape_of(item, depth + 1) for item in value[:1]]
    return "null" if value is None else type(value).__name__
