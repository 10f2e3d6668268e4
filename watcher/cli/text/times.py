"""Times and ages as text, in the local time zone of the command.

The store has UTC. A command shows the zone that ``TZ`` names, or else the machine's, always with its offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from watcher.core.timestamps import require_utc

if TYPE_CHECKING:
    from watcher.core.training.model import Snapshot

UNITS: Final = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LocalTimes:
    """Writes times as a command shows them: local, and without today's date."""

    now: datetime
    zone: tzinfo | None = None
    """``None`` is the machine's zone."""
    wide: bool = False
    """Whether dates and bounds are always written out."""

    def heading(self, text: str) -> str:
        """Return the heading of a column of times, with the present offset."""
        return f"{text} ({offset_text(self._local(self.now))})"

    def time(self, time: datetime) -> str:
        """Write one time of a table in whole seconds; today's date is left out."""
        return self._text(_down(time))

    def minute(self, time: datetime) -> str:
        """Write a time that is a guess in whole minutes; today's date is left out, e.g. ``14:20``."""
        local = self._local(time + timedelta(seconds=30))
        same_day = local.date() == self._local(self.now).date()
        return f"{local:%H:%M}" if same_day and not self.wide else f"{local:%Y-%m-%d %H:%M}"[0 if self.wide else 5 :]

    def full(self, time: datetime) -> str:
        """Write one time of a sentence, e.g. ``2026-11-23 11:20:11 +09:00``."""
        local = self._local(_down(time))
        return f"{local:%Y-%m-%d %H:%M:%S} {offset_text(local)}"

    def bounds(self, after: datetime, before: datetime) -> str:
        """Write the bounds of a change, in whole seconds rounded outwards."""
        first, last = _down(after), _up(before)
        same_day = self._local(first).date() == self._local(last).date()
        end = f"{self._local(last):%H:%M:%S}{self._other_offset(last)}" if same_day else self._text(last)
        if self.wide:
            return f"between {self._text(first)} and {end}"
        return f"{self._text(first)}-{end}" if same_day else f"{self._text(first)} to {end}"

    def since(self, snapshot: Snapshot) -> str:
        """Write the time since when a training has its status; for a baseline, only an upper bound is known."""
        if snapshot.changed_after is None or snapshot.changed_before is None:
            return f"before {self._text(_up(snapshot.first_seen_at))}"
        return self.bounds(snapshot.changed_after, snapshot.changed_before)

    def _text(self, time: datetime) -> str:
        local, today = self._local(time), self._local(self.now)
        form = "%Y-%m-%d %H:%M:%S"
        if not self.wide:
            if local.date() == today.date():
                form = "%H:%M:%S"
            elif local.year == today.year:
                form = "%m-%d %H:%M:%S"
        return f"{local:{form}}{self._other_offset(time)}"

    def _other_offset(self, time: datetime) -> str:
        """Return the offset of a time where it differs from that of the heading, as after a change of the clocks."""
        offset = offset_text(self._local(time))
        return "" if offset == offset_text(self._local(self.now)) else f" {offset}"

    def _local(self, time: datetime) -> datetime:
        return require_utc(time).astimezone(self.zone)


def offset_text(local: datetime) -> str:
    """Write the offset of a local time, e.g. ``+09:00``, or ``UTC``."""
    text = f"{local:%z}"
    return f"{text[:3]}:{text[3:5]}" if local.utcoffset() else "UTC"


def zone_of(environ: Mapping[str, str]) -> tzinfo | None:
    """Return the zone that ``TZ`` names; ``None`` for the machine's."""
    from zoneinfo import ZoneInfo

    # The C library takes an unknown name for UTC; a small container has no zones but those of Python's tzdata.
    try:
        return ZoneInfo(environ.get("TZ", "").removeprefix(":"))
    except (ValueError, LookupError, OSError):
        return None


def local_times(environ: Mapping[str, str], now: datetime, *, wide: bool = False) -> LocalTimes:
    """Return the times of a command that runs ``now``."""
    return LocalTimes(now, zone_of(environ), wide)


def age_text(age: timedelta) -> str:
    """Write an age in the largest unit that makes it two or more, e.g. ``90s ago``."""
    for name, unit in UNITS:
        if age >= 2 * unit:
            return f"{age // unit}{name} ago"
    return f"{max(age, timedelta()) // SECOND}s ago"


def duration_text(length: timedelta) -> str:
    """Write a duration in its two largest units, e.g. ``2h10m`` or ``45s``."""
    rest, parts = max(length, timedelta()), list[str]()
    for name, unit in (*UNITS, ("s", SECOND)):
        count, rest = divmod(rest, unit)
        if count or (name == "s" and not parts):
            parts.append(f"{count}{name}")
        if len(parts) > 1 or (parts and not count):
            break
    return "".join(parts)


def rough_duration(length: timedelta) -> str:
    """Write a duration that is a guess or a mean: in whole minutes from ten minutes on."""
    minute = timedelta(minutes=1)
    return duration_text(length if length < 10 * minute else (length + minute / 2) // minute * minute)


def _down(time: datetime) -> datetime:
    return require_utc(time).replace(microsecond=0)


def _up(time: datetime) -> datetime:
    return _down(time) + (SECOND if time.microsecond else timedelta())
