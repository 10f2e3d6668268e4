"""Read events behind a cursor, so that a consumer pulls those that it has missed: none twice, none left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from watcher.reports.history import event_history_json
from watcher.store import meta_keys
from watcher.store.views import EventHistory, HistoryFilter, Views

ROUTING_TIME: Final = timedelta(seconds=5)
"""A new event is shown when it is routed, or after this time."""
LATEST: Final = "latest"
"""The cursor behind the newest event."""
CURSOR: Final = "^([0-9a-f]{1,32})[.]([0-9]{1,18})$"


class CursorError(ValueError):
    """A text that is no cursor of an event."""


class OtherEpochError(ValueError):
    """A cursor of another store, or of this one before a restore: the positions behind it belong to other events."""

    def __init__(self, restored_at: str | None, restored_from: str | None) -> None:
        text = "the cursor is of another store"
        if restored_at is not None:
            backup = "" if restored_from is None else f" from the backup of {restored_from}"
            text = f"{text}, or of this one before it was restored{backup} at {restored_at}"
        super().__init__(text)
        self.restored_at = restored_at
        """The time of the latest restore, RFC 3339; ``None`` for a store that was never restored."""
        self.restored_from = restored_from
        """The time of that backup, RFC 3339; ``None`` where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events in the order of their recording."""

    events: Sequence[EventHistory]
    next: str
    """The cursor behind the last of them."""
    more: bool
    """Whether others follow at once."""
    missed: bool = False
    """Whether events behind the cursor were so old that the store has removed them."""

    def as_json(self) -> dict[str, object]:
        """Return the page for programs; each event as ``history --json`` has it."""
        return {
            "events": [event_history_json(item) for item in self.events],
            "next": self.next,
            "more": self.more,
            "missed": self.missed,
        }


def read_events(views: Views, wanted: HistoryFilter, after: str | None, now: datetime) -> EventPage:
    """Return the events behind a cursor, the oldest of them first.

    An event that is still being routed, and all behind it, wait for the next read.

    Args:
        views: the store.
        wanted: the filter; its ``after`` is replaced, and its ``limit`` is a number.
        after: the ``next`` of the page before, ``latest``, or ``None`` for the oldest event that the store has.
        now: the present, UTC.

    Raises:
        CursorError: ``after`` is no cursor.
        OtherEpochError: it is of another store, or of this one before a restore.
    """
    facts = views.facts()
    epoch = facts[meta_keys.EPOCH]
    if after == LATEST:
        return EventPage(events=(), next=cursor(epoch, _newest_settled(views, now)), more=False)
    position = 0 if after is None else _position(after, facts)
    limit = wanted.limit or 1
    settled = settled_events(views.history(replace(wanted, after=position, limit=limit + 1)), now)
    shown, more = settled[:limit], len(settled) > limit
    # At the end, events that the filter leaves out are not read again by the next request.
    reached = shown[-1].position if more else max(_newest_settled(views, now), position)
    return EventPage(
        events=shown,
        next=cursor(epoch, reached),
        more=more,
        missed=after is not None and views.oldest_position() > position + 1,
    )


def cursor(epoch: str, position: int) -> str:
    """Return the cursor behind the event at a position."""
    return f"{epoch}.{position}"


def settled_events(events: Sequence[EventHistory], now: datetime) -> list[EventHistory]:
    """Return the events before the first that is still being routed, so that none is shown half or out of order."""
    return list(
        takewhile(lambda item: item.routed_at is not None or now - item.event.recorded_at > ROUTING_TIME, events)
    )


def _newest_settled(views: Views, now: datetime) -> int:
    """Return the position before the first event that is still being routed."""
    waiting = views.first_unrouted_position(now - ROUTING_TIME)
    return views.newest_position() if waiting is None else waiting - 1


def _position(text: str, facts: Mapping[str, str]) -> int:
    found = re.fullmatch(CURSOR, text)
    if found is None:
        raise CursorError(f"{text!r} is no cursor; give the next of an earlier answer, or latest")
    if found[1] != facts[meta_keys.EPOCH]:
        raise OtherEpochError(facts.get(meta_keys.RESTORED_AT), facts.get(meta_keys.RESTORED_FROM))
    return int(found[2])
