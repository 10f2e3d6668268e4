"""Deviations: differences of an answer from the documents that are no failure.

Each is logged once and stored with a sample that holds no values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from watcher.core.polling.result import PollResult

INCOMPLETE_LIST: Final = "incomplete-list: a list lacks trainings that a view shows"
HIDDEN_TRAININGS: Final = "incomplete-list: a list lacked trainings that existed by their createdDate"
INCOMPLETE_SERVICES: Final = "incomplete-list: the list of services lacks a service that is still there"
DEPTH_LIMIT: Final = 4
FIELD_LIMIT: Final = 60
DEVIATION_LIMIT: Final = 200
"""Deviations in the store; an API with endless new fields must not fill it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One difference between an answer and the documents."""

    description: str
    """One line for a person, e.g. ``new field: foo``."""
    poll: str
    """The key of the poll that showed it first."""
    seen_at: datetime
    sample: Mapping[str, object]
    """The names and types of a training's fields, without values."""


def deviations_in(result: PollResult, known: frozenset[str], poll: str) -> tuple[Deviation, ...]:
    """Return the deviations of a result that are not known yet, within ``DEVIATION_LIMIT``."""
    left = max(DEVIATION_LIMIT - len(known), 0)
    samples = _samples(result, known)
    return tuple(
        Deviation(description=description, poll=poll, seen_at=result.answered_at, sample=sample)
        for description, sample in list(samples.items())[:left]
    )


def incomplete_list(result: PollResult, known: frozenset[str], poll: str) -> tuple[Deviation, ...]:
    """Return the deviation that a list lacks the training of a view, where it is not known yet."""
    return deviations_in(replace(result, deviations=(INCOMPLETE_LIST,), unreadable=()), known, poll)


def _samples(result: PollResult, known: frozenset[str]) -> Mapping[str, Mapping[str, object]]:
    """Return the unknown deviations of a result, each with its sample."""
    samples = {record.reason: record.sample for record in result.unreadable if record.reason not in known}
    if unknown := [description for description in result.deviations if description not in known]:
        sample = _sample(result)
        samples |= dict.fromkeys(unknown, sample)
    return samples


def _sample(result: PollResult) -> Mapping[str, object]:
    """Return the joined shapes of all trainings of a result, to include rare fields."""
    shape: dict[str, object] = {}
    for item in result.shown:
        for name, value in item.record.items():
            if len(shape) < FIELD_LIMIT:
                shape.setdefault(name, shape_of(value))
    return shape


def shape_of(value: object, depth: int = 0) -> object:
    """Return a JSON value with each scalar replaced by the name of its type."""
    if depth >= DEPTH_LIMIT:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): shape_of(item, depth + 1) for name, item in list(value.items())[:FIELD_LIMIT]}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shape_of(item, depth + 1) for item in value[:1]]
    return "null" if value is None else type(value).__name__
