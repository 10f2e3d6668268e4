"""A limit on the requests of each client, so that one cannot take the time of the polls."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

PER_SECOND: Final = 20.0
BURST: Final = 60.0
CLIENTS_MAX: Final = 1024
"""Clients that are remembered; the one that asked longest ago is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    """The time of ``tokens``, in monotonic seconds."""


class RequestRate:
    """A token bucket for each client address."""

    def __init__(self, per_second: float = PER_SECOND, burst: float = BURST) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_seconds(self, client: str, now: float) -> float:
        """Count a request; return 0, or the seconds after which the client may ask again.

        Args:
            client: its address.
            now: the present, in monotonic seconds.
        """
        bucket = self._buckets.setdefault(client, _Bucket(self._burst, now))
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        bucket.tokens = min(bucket.tokens + (now - bucket.at) * self._per_second, self._burst)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_second
        bucket.tokens -= 1
        return 0.0

    def give_back(self, client: str) -> None:
        """Let the latest request of a client not count."""
        bucket = self._buckets.get(client)
        if bucket is not None:
            bucket.tokens = min(bucket.tokens + 1, self._burst)
