"""Points in time: aware UTC everywhere, refused when naive, written one way."""

from __future__ import annotations

from datetime import UTC, datetime


def require_utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC; a naive one is refused, since it could mean anything."""
    if moment.tzinfo is None:
        raise ValueError(f"a naive time is refused: {moment.isoformat()}; give it a zone")
    return moment.astimezone(UTC)


def to_text(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with microseconds, e.g. ``2026-11-23T02:20:11.000000Z``."""
    return require_utc(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read what ``to_text`` wrote."""
    return require_utc(datetime.fromisoformat(text))
