"""Plan the deliveries of routed events before anything is written.

The plan holds everything that the store writes: the silence, the ``receiver_seq`` and the rendered body of each
delivery. It also holds the stored facts that it depends on. The store compares them when it writes the plan, and
refuses an outdated one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event
from watcher.core.routing.reason import RoutingReason
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.core.routing.silence import Silence, covering

Render = Callable[[str, Event, int], bytes | None]
"""Takes receiver, event and ``receiver_seq``; returns the bytes to store with the delivery, if there are any."""

Line = tuple[str, str]
"""A receiver and a subject: their deliveries are numbered and keep their order."""

NO_SEQUENCES: Final[Mapping[Line, int]] = MappingProxyType({})


class OutdatedDecisionError(Exception):
    """The store has changed since the decision that was to be written; nothing was written, so decide again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """The stored facts that a plan depends on."""

    silences: tuple[Silence, ...] = ()
    """The active silences."""
    failing_receivers: frozenset[str] = frozenset()
    """Receivers that fail permanently."""
    sequences: Mapping[Line, int] = field(default_factory=lambda: NO_SEQUENCES, hash=False)
    """The latest ``receiver_seq`` of each line; 0 where it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDelivery:
    """One receiver's share of a routed event."""

    recipient: Recipient
    receiver_seq: int
    body: bytes | None = None
    """``None`` for a silenced delivery, a group, and a receiver that renders at each attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedEvent:
    """An event with its deliveries, and the reasons."""

    event: Event
    reason: RoutingReason
    silence: str | None
    """The id of the silence that takes it."""
    deliveries: tuple[PlannedDelivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPlan:
    """Routed events, and the facts that held when they were routed."""

    events: tuple[RoutedEvent, ...]
    state: OutboxState
    at: datetime
    """The time of the decision, UTC; silences were active then."""


def plan_deliveries(
    decisions: Sequence[tuple[Event, RoutingDecision]], state: OutboxState, render: Render, now: datetime
) -> RoutingPlan:
    """Return the deliveries of these events, numbered and rendered.

    Args:
        decisions: the events in the order of recording, each with its route.
        state: the stored facts.
        render: renders an event that is sent on its own.
        now: UTC.
    """
    sequences = dict(state.sequences)
    events = []
    for event, decision in decisions:
        silence = covering(event, state.silences, now)
        deliveries = tuple(
            _planned(event, recipient, _next(sequences, (recipient.receiver, event.subject)), silence, render)
            for recipient in decision.to
        )
        silence_id = None if silence is None else silence.id
        events.append(RoutedEvent(event=event, reason=decision.reason, silence=silence_id, deliveries=deliveries))
    return RoutingPlan(events=tuple(events), state=state, at=now)


def lines_of(events: Iterable[RoutedEvent]) -> dict[Line, int]:
    """Return how many deliveries each line gets."""
    counted: dict[Line, int] = {}
    for routed in events:
        for planned in routed.deliveries:
            line = (planned.recipient.receiver, routed.event.subject)
            counted[line] = counted.get(line, 0) + 1
    return counted


def _next(sequences: dict[Line, int], line: Line) -> int:
    sequences[line] = sequences.get(line, 0) + 1
    return sequences[line]


def _planned(
    event: Event, recipient: Recipient, receiver_seq: int, silence: Silence | None, render: Render
) -> PlannedDelivery:
    # A group is rendered when it is leased: until then more events may join it.
    alone = silence is None and recipient.group is None
    body = render(recipient.receiver, event, receiver_seq) if alone else None
    return PlannedDelivery(recipient=recipient, receiver_seq=receiver_seq, body=body)
