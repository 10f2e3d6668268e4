"""The header fields that every caller reads (RFC 9110, 6.6.1, 8.4 and 10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

DELTA_SECONDS: Final = re.compile(r"[0-9]{1,18}")


def server_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the peer's ``Date`` in UTC, or ``None`` where it is missing or unreadable."""
    return _http_date(headers.get("date", ""))


def retry_after_seconds(headers: Mapping[str, str], now: datetime, *, at_most: float) -> float | None:
    """Return how long the peer asks us to wait, in seconds from 0 to ``at_most``.

    A date counts from the peer's own ``Date`` where it sent one, else from ``now``. A negative, past or
    unreadable wish is none.
    """
    wish = headers.get("retry-after", "").strip()
    if DELTA_SECONDS.fullmatch(wish):
        return min(float(wish), at_most)
    until = _http_date(wish)
    if until is None:
        return None
    seconds = (until - (server_date(headers) or now)).total_seconds()
    return min(seconds, at_most) if seconds >= 0 else None


def content_encoding(headers: Mapping[str, str]) -> str | None:
    """Return what the body is encoded with although ``identity`` was asked for, e.g. ``gzip``; ``None`` if plain."""
    coding = headers.get("content-encoding", "").strip().lower()
    return None if coding in {"", "identity"} else coding


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        # RFC 9110 dates are GMT; the parser leaves "-0000" naive.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
