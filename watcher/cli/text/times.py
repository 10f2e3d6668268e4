"""Times as a person reads them: bounds, ages in one unit. All are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from watcher.core.timestamps import require_utc
from watcher.core.training.model import Snapshot

UNITS: Final = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
SECOND: Final = timedelta(seconds=1)


def bounds_text(after: datetime, before: datetime) -> str:
    """Write that something happened between two times, in whole seconds rounded outwards."""
    first, last = _down(after), _up(before)
    same_day = first.date() == last.date()
    return f"between {first:%Y-%m-%d %H:%M:%S} and {last:{'%H:%M:%S' if same_day else '%Y-%m-%d %H:%M:%S'}}"


def since_text(snapshot: Snapshot) -> str:
    """Write since when a training has its status; of a baseline it is only known that it was so when first seen."""
    if snapshot.changed_after is None or snapshot.changed_before is None:
        return f"before {_up(snapshot.first_seen_at):%Y-%m-%d %H:%M:%S}"
    return bounds_text(snapshot.changed_after, snapshot.changed_before)


def time_text(moment: datetime) -> str:
    """Write one time in whole seconds, e.g. ``2026-11-23 02:20:11``."""
    return f"{_down(moment):%Y-%m-%d %H:%M:%S}"


def age_text(age: timedelta) -> str:
    """Write how long ago something was, in the largest unit of which there are two, e.g. ``90s ago``."""
    for name, unit in UNITS:
        if age >= 2 * unit:
            return f"{age // unit}{name} ago"
    return f"{max(age, timedelta()) // SECOND}s ago"


def _down(moment: datetime) -> datetime:
    return require_utc(moment).replace(microsecond=0)


def _up(moment: datetime) -> datetime:
    return _down(moment) + (SECOND if moment.microsecond else timedelta())
