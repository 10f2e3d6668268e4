"""Times and durations on pages: relative first, with the full time in the title."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from markupsafe import Markup

from watcher.core.timestamps import to_text
from watcher.web.html.language.texts import Texts

SECONDS_MAX: Final = 90
MINUTES_MAX: Final = 180
HOURS_MAX: Final = 48
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
DETAILED_DAYS: Final = 7
"""Hours matter within a week."""


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
        text = self.texts("ago" if seconds >= 0 else "in-time", age=duration(abs(seconds), self.texts))
        return self._tag(time, text)

    def lasts(self, time: datetime) -> Markup:
        """Write how long something lasts that began at a time."""
        return self._tag(time, duration(self.now - time, self.texts))

    def between(self, start: datetime, end: datetime) -> Markup:
        """Write the time from one time to another."""
        return duration(end - start, self.texts)

    def plain(self, time: datetime) -> str:
        """Write a time as ``clock`` does, without its element, e.g. for an attribute."""
        return self._short(time, "%H:%M")

    def clock(self, time: datetime) -> Markup:
        """Write a time to the minute; today's date is left out."""
        return self._tag(time, self._short(time, "%H:%M"))

    def span(self, low: datetime, high: datetime) -> Markup:
        """Write a span to the minute; the date of its end is left out where it is that of its begin."""
        same_day = self._local(low).date() == self._local(high).date()
        end = self._tag(high, f"{self._local(high):%H:%M}") if same_day else self.clock(high)
        return Markup("{}–{}").format(self.clock(low), end)  # noqa: RUF001 - a span has an en dash

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
        return f"{local:{form}}" if same_day else f"{self._day(None, local)} {local:{form}}"

    def _tag(self, time: datetime, text: str) -> Markup:
        local = self._local(time)
        full = f"{self._day(local.year, local)}, {local:%H:%M:%S %Z}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(to_text(time), full, text)

    def _day(self, year: int | None, local: datetime) -> str:
        return self.texts.words.day(year, local.month, local.day)

    def _local(self, time: datetime) -> datetime:
        return time.astimezone(self.zone)


def duration(length: float | timedelta, texts: Texts) -> Markup:
    """Write a duration, rounded down as in messages.

    It is in seconds under 90 s, in minutes under 3 h, so that 83 compares with 78, then in hours, then in days.
    """
    seconds = max(length.total_seconds() if isinstance(length, timedelta) else length, 0.0)
    if seconds < SECONDS_MAX:
        return texts("seconds", n=int(seconds))
    minutes = seconds / MINUTE
    if minutes < MINUTES_MAX:
        return texts("minutes", n=int(minutes))
    hours = seconds / HOUR
    if hours < HOURS_MAX:
        whole, rest = divmod(int(minutes), MINUTE)
        if rest and whole < DAY // HOUR:
            return texts("hours-minutes", hours=whole, minutes=rest)
        return texts("hours", n=int(hours))
    days, rest = divmod(int(hours), 24)
    return texts("days-hours", days=days, hours=rest) if rest and days <= DETAILED_DAYS else texts("days", n=days)
