"""Which calls came when: counts for ever, times up to a bound, nothing of what the requests held."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from watcher.simulator.calls import CallKind
from watcher.simulator.gateway import Refusal

UNKNOWN_KEY = "(unknown)"
"""Stands for every access key that the simulator does not know, so that strangers cannot fill the memory."""

NOT_A_CALL = "(other)"
"""Stands for every path that is no call of AiTEMS."""

TIMES_KEPT = 100_000


@dataclass(slots=True)
class CallTimes:
    """The calls of one kind under one access key."""

    count: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_KEPT))
    """When the latest ones came: seconds of the simulator's monotonic clock."""

    def note(self, moment: float) -> None:
        """Count one call more."""
        self.count += 1
        self.times.append(moment)


class RequestLog:
    """The calls that the simulator received since it started, or since the latest reset."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], CallTimes] = {}
        self._refused: Counter[str] = Counter()
        self._news = asyncio.Event()

    @property
    def total(self) -> int:
        """How many requests came."""
        return sum(calls.count for calls in self._calls.values())

    def note(self, access_key: str, kind: CallKind | None, moment: float) -> None:
        """Count a request; ``kind`` is ``None`` for a path that is no call of AiTEMS."""
        calls = self._calls.setdefault((access_key, kind or NOT_A_CALL), CallTimes())
        calls.note(moment)
        self._news.set()

    async def wait_for(self, count: int, *kinds: CallKind) -> None:
        """Wait until so many calls of these kinds came, of every kind where none is named."""
        while self.count(*kinds) < count:
            self._news.clear()
            await self._news.wait()

    def note_refusal(self, refusal: Refusal) -> None:
        """Count a request that the gateway refused."""
        self._refused[refusal] += 1

    def count(self, *kinds: CallKind) -> int:
        """Return how many calls of these kinds came, under whatever key; of every kind where none is named."""
        return sum(calls.count for (_, kind), calls in self._calls.items() if not kinds or kind in kinds)

    def times(self, *kinds: CallKind) -> list[float]:
        """Return when calls of these kinds came, in order; of every kind where none is named."""
        return sorted(_joined(calls.times for (_, kind), calls in self._calls.items() if not kinds or kind in kinds))

    def refused(self) -> dict[str, int]:
        """Return how often the gateway refused, by reason."""
        return dict(self._refused)

    def as_document(self) -> dict[str, object]:
        """Return everything as JSON shows it."""
        keys: dict[str, dict[str, object]] = {}
        for (access_key, kind), calls in self._calls.items():
            keys.setdefault(access_key, {})[kind] = {"count": calls.count, "times": list(calls.times)}
        return {"total": self.total, "keys": keys, "refused": self.refused()}

    def reset(self) -> None:
        """Forget everything."""
        self._calls.clear()
        self._refused.clear()


def _joined(groups: Iterable[Iterable[float]]) -> Iterable[float]:
    return (moment for group in groups for moment in group)
