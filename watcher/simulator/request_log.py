"""A log of received calls: all counts, and the latest times, without the content of requests."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from watcher.simulator.calls import CallKind
from watcher.simulator.gateway import Rejection

UNKNOWN_KEY = "(unknown)"
"""Replaces every unknown access key, so that unknown clients cannot fill the memory."""

NOT_A_CALL = "(other)"
"""Replaces every path that is not a call of AiTEMS."""

TIMES_KEPT = 100_000


@dataclass(slots=True)
class CallTimes:
    """The calls of one kind under one access key."""

    count: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_KEPT))
    """The times of the latest calls, in seconds of the simulator's monotonic clock."""

    def add(self, seconds: float) -> None:
        """Count one more call."""
        self.count += 1
        self.times.append(seconds)


class RequestLog:
    """The calls that the simulator received since it started, or since the latest reset."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], CallTimes] = {}
        self._refused: Counter[str] = Counter()
        self._call_added = asyncio.Event()

    @property
    def total(self) -> int:
        """The number of requests."""
        return sum(calls.count for calls in self._calls.values())

    def add(self, access_key: str, kind: CallKind | None, seconds: float) -> None:
        """Count a request; ``kind`` is ``None`` for a path that is not a call of AiTEMS."""
        calls = self._calls.setdefault((access_key, kind or NOT_A_CALL), CallTimes())
        calls.add(seconds)
        self._call_added.set()

    async def wait_for(self, count: int, *kinds: CallKind) -> None:
        """Wait until so many calls of these kinds have arrived; without kinds, of any kind."""
        while self.count(*kinds) < count:
            self._call_added.clear()
            await self._call_added.wait()

    def count_rejection(self, rejection: Rejection) -> None:
        """Count a request that the gateway rejected."""
        self._refused[rejection] += 1

    def count(self, *kinds: CallKind) -> int:
        """Return the number of calls of these kinds, under any key; without kinds, of any kind."""
        return sum(calls.count for (_, kind), calls in self._calls.items() if not kinds or kind in kinds)

    def times(self, *kinds: CallKind) -> list[float]:
        """Return the times of calls of these kinds, in order; without kinds, of any kind."""
        return sorted(_joined(calls.times for (_, kind), calls in self._calls.items() if not kinds or kind in kinds))

    def refused(self) -> dict[str, int]:
        """Return the number of rejections by the gateway, by reason."""
        return dict(self._refused)

    def as_document(self) -> dict[str, object]:
        """Return the log as a JSON document."""
        keys: dict[str, dict[str, object]] = {}
        for (access_key, kind), calls in self._calls.items():
            keys.setdefault(access_key, {})[kind] = {"count": calls.count, "times": list(calls.times)}
        return {"total": self.total, "keys": keys, "refused": self.refused()}

    def reset(self) -> None:
        """Clear the log."""
        self._calls.clear()
        self._refused.clear()


def _joined(groups: Iterable[Iterable[float]]) -> Iterable[float]:
    return (seconds for group in groups for seconds in group)
