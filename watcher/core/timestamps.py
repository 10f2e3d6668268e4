"""Timestamps: always aware and in UTC, with one text format."""

from __future__ import annotations

from datetime import UTC, datetime


def require_utc(time: datetime) -> datetime:
    """Return a time in UTC.

    Raises:
        ValueError: The time is naive, so its zone is unknown.
    """
    if time.tzinfo is None:
        raise ValueError(f"a naive time is refused: {time.isoformat()}; give it a zone")
    return time.astimezone(UTC)


def to_text(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC with microseconds, e.g. ``2026-11-23T02:20:11.000000Z``."""
    return require_utc(time).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Return the time that ``to_text`` wrote."""
    return require_utc(datetime.fromisoformat(text))
