"""Figures of a daemon about itself that are no problem: its start, lateness, requests, heartbeat and next polls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watcher.core.timestamps import from_text, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRequests:
    """The requests of one account, beside its budget."""

    account: str
    per_second: float
    """The mean since the start of the daemon."""
    allowed_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonFigures:
    """The figures of a running daemon; ``/metrics`` has the same values."""

    version: str
    started_at: datetime
    lateness_seconds: float | None = None
    """The 95th percentile of the lateness of polls since the start; ``None`` before the first one."""
    requests: Sequence[AccountRequests] = ()
    heartbeat: str | None = None
    """The outcome of the latest heartbeat, empty before the first one; ``None`` where none is configured."""
    heartbeat_at: datetime | None = None
    store_bytes: int | None = None
    """``None`` where the store cannot be read."""
    next_polls: Mapping[str, datetime] = field(default_factory=dict, hash=False)
    """The next poll of each account that cannot be polled; one whose poll is under way is not there."""

    def as_json(self) -> dict[str, object]:
        """Return the figures for the control socket."""
        return {
            "version": self.version,
            "started_at": to_text(self.started_at),
            "lateness_seconds": self.lateness_seconds,
            "requests": [[item.account, item.per_second, item.allowed_per_second] for item in self.requests],
            "heartbeat": self.heartbeat,
            "heartbeat_at": None if self.heartbeat_at is None else to_text(self.heartbeat_at),
            "store_bytes": self.store_bytes,
            "next_polls": {account: to_text(time) for account, time in self.next_polls.items()},
        }


def read_figures(document: object) -> DaemonFigures | None:
    """Read the figures from the control socket; ``None`` for a daemon of an older version.

    Raises:
        ValueError: they are those of another version.
        KeyError: as before.
        TypeError: as before.
    """
    if not isinstance(document, dict):
        return None
    beaten = document["heartbeat_at"]
    return DaemonFigures(
        version=str(document["version"]),
        started_at=from_text(document["started_at"]),
        lateness_seconds=document["lateness_seconds"],
        requests=[
            AccountRequests(account=account, per_second=rate, allowed_per_second=allowed)
            for account, rate, allowed in document["requests"]
        ],
        heartbeat=document["heartbeat"],
        heartbeat_at=None if beaten is None else from_text(beaten),
        store_bytes=document["store_bytes"],
        next_polls={account: from_text(time) for account, time in document["next_polls"].items()},
    )


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """Return a quantile of a histogram as Prometheus' ``histogram_quantile`` does; ``None`` where it is empty.

    Args:
        buckets: the upper bound of each bucket with the cumulative count, in order; the last bound is infinite.
        share: the share below the quantile, e.g. 0.95.
    """
    rank = share * (buckets[-1][1] if buckets else 0)
    if not rank:
        return None
    low, before = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            # Above the last finite bound, nothing more is known.
            return low if math.isinf(bound) else low + (bound - low) * (rank - before) / (count - before)
        low, before = bound, count
    return low
