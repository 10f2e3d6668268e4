"""Events as the store keeps them, read when they are used: an attempt with a sealed body needs none of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import overload

from watcher.core.event import Event
from watcher.core.event_json import from_json


class StoredEvents(Sequence[Event]):
    """A sequence of events that is read from its JSON once, at the first use of one of them.

    Args:
        bodies: the JSON of each event, see ``core.event_json``.
        ids: their ids, which are known without that.
    """

    def __init__(self, bodies: Sequence[str], ids: Sequence[str]) -> None:
        self._bodies = bodies
        self.ids = tuple(ids)

    @cached_property
    def _events(self) -> tuple[Event, ...]:
        return tuple(from_json(json.loads(body)) for body in self._bodies)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return self._events == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._events)

    def __repr__(self) -> str:
        return repr(self._events)


def ids_of(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the ids of events, without reading them where they are stored ones."""
    return events.ids if isinstance(events, StoredEvents) else tuple(event.id for event in events)
