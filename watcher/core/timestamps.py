"""Timestamps: always aware and in UTC, with one text format."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

KNOWN_TIMES: Final = 256
"""Texts that are kept: the changes of one list share nearly all of their times."""


def require_utc(time: datetime) -> datetime:
    """Return a time in UTC.

    Raises:
        ValueError: The time is naive, so its zone is unknown.
    """
    if time.tzinfo is UTC:
        # Nearly every time; each change has about twenty.
        return time
    if time.tzinfo is None:
        raise ValueError(f"a naive time is refused: {time.isoformat()}; give it a zone")
    return time.astimezone(UTC)


def to_text(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC with microseconds, e.g. ``2026-11-23T02:20:11.000000Z``."""
    return _text_of(require_utc(time))


@lru_cache(KNOWN_TIMES)
def _text_of(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> datetime:
    """Return the time that ``to_text`` wrote."""
    return require_utc(datetime.fromisoformat(text))


def read_date(text: object, zone: tzinfo | None) -> datetime | None:
    """Return a date of AiTEMS as a time in UTC, in whole seconds.

    Args:
        text: the field of an answer, e.g. ``2026-11-23T09:14:07.031``; ``None`` is returned where it is no date.
        zone: that of a text without one. Without it, ``None`` is returned for such a text.
    """
    time = _date(text)
    if time is None or (time.tzinfo is None and zone is None):
        return None
    try:
        return require_utc(time if time.tzinfo is not None else time.replace(tzinfo=zone)).replace(microsecond=0)
    except OverflowError:
        return None


def date_without_zone(text: object) -> str:
    """Write a date of AiTEMS that names no zone, e.g. ``2026-11-23 09:14:07``; empty where it is no such date."""
    time = _date(text)
    return "" if time is None or time.tzinfo is not None else time.isoformat(" ", "seconds")


def _date(text: object) -> datetime | None:
    """Read a date with a time of day; a day alone is no time, whatever its zone."""
    if not isinstance(text, str) or not ("T" in text or ":" in text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
