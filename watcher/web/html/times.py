"""Times and durations on pages: relative first, with the full time in the title."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from markupsafe import Markup

from watcher.core.timestamps import to_text
from watcher.web.html.texts import Texts

SECONDS_MAX: Final = 90
MINUTES_MAX: Final = 180
HOURS_MAX: Final = 48
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400


@dataclass(frozen=True, slots=True)
class PageTimes:
    """Writes times in the local zone, as of one moment."""

    now: datetime
    texts: Texts
    zone: tzinfo | None = None
    """``None`` is the machine's zone."""

    @property
    def zone_name(self) -> str:
        """The name of the zone and its offset, e.g. ``KST (+09:00)``."""
        local = self._local(self.now)
        return f"{local:%Z} ({local.isoformat(timespec='minutes')[-6:]})"

    def age(self, time: datetime) -> Markup:
        """Write how long ago a time was, or how far it is."""
        seconds = (self.now - time).total_seconds()
        text = self.texts("ago" if seconds >= 0 else "in-time", age=duration(abs(seconds)))
        return self._tag(time, text)

    def lasts(self, time: datetime) -> Markup:
        """Write how long something lasts that began at a time."""
        return self._tag(time, duration(max((self.now - time).total_seconds(), 0)))

    def between(self, start: datetime, end: datetime) -> str:
        """Write the time from one time to another."""
        return duration(max((end - start).total_seconds(), 0))

    def plain(self, time: datetime) -> str:
        """Write a time as ``clock`` does, without its element, e.g. for an attribute."""
        return self._short(time, "%H:%M")

    def clock(self, time: datetime) -> Markup:
        """Write a time to the minute; today's date is left out."""
        return self._tag(time, self._short(time, "%H:%M"))

    def seconds(self, time: datetime) -> Markup:
        """Write a time to the second; today's date is left out."""
        return self._tag(time, self._short(time, "%H:%M:%S"))

    def bounds(self, after: datetime, before: datetime) -> Markup:
        """Write the bounds of a change; those within one second are one time."""
        if self._short(after, "%H:%M:%S") == self._short(before, "%H:%M:%S"):
            return self.texts("at", time=self.seconds(before))
        return self.texts("between", after=self.seconds(after), before=self.seconds(before))

    def _short(self, time: datetime, form: str) -> str:
        local = self._local(time)
        same_day = local.date() == self._local(self.now).date()
        return f"{local:{form}}" if same_day else f"{local.day} {local:%b} {local:{form}}"

    def _tag(self, time: datetime, text: str) -> Markup:
        local = self._local(time)
        full = f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S %Z}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(to_text(time), full, text)

    def _local(self, time: datetime) -> datetime:
        return time.astimezone(self.zone)


def duration(length: float | timedelta) -> str:
    """Write a duration: seconds under 90 s, minutes under 3 h, so that 83 compares with 78, then hours, then days."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < SECONDS_MAX:
        return f"{round(seconds)} s"
    minutes = seconds / MINUTE
    if minutes < MINUTES_MAX:
        return f"{round(minutes)} min"
    hours = seconds / HOUR
    if hours < HOURS_MAX:
        whole, rest = divmod(round(minutes), MINUTE)
        return f"{whole} h {rest} min" if rest and whole < DAY // HOUR else f"{round(hours)} h"
    days, rest = divmod(round(hours), 24)
    return f"{days} d {rest} h" if rest and days <= 7 else f"{days} d"  # noqa: PLR2004 - hours matter within a week
