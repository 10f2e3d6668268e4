"""Times and ages as text. All times are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from watcher.core.timestamps import require_utc
from watcher.core.training.model import Snapshot

UNITS: Final = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
SECOND: Final = timedelta(seconds=1)


def bounds_text(after: datetime, before: datetime) -> str:
    """Write the bounds of a change, in whole seconds rounded outwards."""
    first, last = _down(after), _up(before)
    same_day = first.date() == last.date()
    return f"between {first:%Y-%m-%d %H:%M:%S} and {last:{'%H:%M:%S' if same_day else '%Y-%m-%d %H:%M:%S'}}"


def since_text(snapshot: Snapshot) -> str:
    """Write the time since when a training has its status; for a baseline, only an upper bound is known."""
    if snapshot.changed_after is None or snapshot.changed_before is None:
        return f"before {_up(snapshot.first_seen_at):%Y-%m-%d %H:%M:%S}"
    return bounds_text(snapshot.changed_after, snapshot.changed_before)


def time_text(time: datetime) -> str:
    """Write one time in whole seconds, e.g. ``2026-11-23 02:20:11``."""
    return f"{_down(time):%Y-%m-%d %H:%M:%S}"


def age_text(age: timedelta) -> str:
    """Write an age in the largest unit that makes it two or more, e.g. ``90s ago``."""
    for name, unit in UNITS:
        if age >= 2 * unit:
            return f"{age // unit}{name} ago"
    return f"{max(age, timedelta()) // SECOND}s ago"


def _down(time: datetime) -> datetime:
    return require_utc(time).replace(microsecond=0)


def _up(time: datetime) -> datetime:
    return _down(time) + (SECOND if time.microsecond else timedelta())
