"""Parsers of common header fields (RFC 9110, 6.6.1, 8.4 and 10.2.3; RFC 9111, 5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

DELTA_SECONDS: Final = re.compile(r"[0-9]{1,18}")
MAX_AGE_SECONDS: Final = 365 * 24 * 3600
"""A higher ``Age`` is nonsense, and is ignored."""
KEPT_DATES: Final = 64
"""Dates whose value is kept: the answers of one second have the same."""


def server_date(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return the time of the answer by the peer's clock in UTC, or ``None`` where ``Date`` is missing or unreadable.

    In an answer from a cache, ``Date`` may be that of the origin, older by ``Age``, or the cache's own (RFC 9111, 5.1).
    So any time between the two is possible; the one nearest to ``now`` counts.
    """
    date = _http_date(headers.get("date", ""))
    if date is None:
        return None
    try:
        return min(max(now, date), date + _age(headers))
    except OverflowError:
        return date


def _age(headers: Mapping[str, str]) -> timedelta:
    # Several caches may each add a value; the first counts (RFC 9111, 5.1).
    value = headers.get("age", "").partition(",")[0].strip()
    seconds = int(value) if DELTA_SECONDS.fullmatch(value) else 0
    return timedelta(seconds=seconds if seconds <= MAX_AGE_SECONDS else 0)


def retry_after_seconds(headers: Mapping[str, str], now: datetime, *, at_most: float) -> float | None:
    """Return the wait that the peer asks for, in seconds from 0 to ``at_most``, or ``None``.

    A date counts from the peer's own ``Date``, or else from ``now``. A negative, past or unreadable value
    gives ``None``.
    """
    value = headers.get("retry-after", "").strip()
    if DELTA_SECONDS.fullmatch(value):
        return min(float(value), at_most)
    until = _http_date(value)
    if until is None:
        return None
    seconds = (until - (server_date(headers, now) or now)).total_seconds()
    return min(seconds, at_most) if seconds >= 0 else None


def content_encoding(headers: Mapping[str, str]) -> str | None:
    """Return the encoding of the body despite ``Accept-Encoding: identity``, e.g. ``gzip``; ``None`` for plain."""
    coding = headers.get("content-encoding", "").strip().lower()
    return None if coding in {"", "identity"} else coding


@lru_cache(KEPT_DATES)
def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        # RFC 9110 dates are GMT; the parser leaves "-0000" naive.
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
