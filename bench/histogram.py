"""A histogram of the watcher's own metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

LATENESS = "aitems_watcher_poll_lateness_seconds"
"""Seconds from the time at which a poll is due to its start; polls are spread, so that their distances say less."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values are at most so large, by the bounds of the buckets; and the sum of all."""

    counts: Mapping[float, float]
    total: float

    def since(self, before: Histogram) -> Histogram:
        """Return the values that came after an earlier one."""
        counts = {bound: count - before.counts[bound] for bound, count in self.counts.items()}
        return Histogram(counts, self.total - before.total)

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return self.total / self.counts[math.inf]

    def percentile(self, percent: float) -> float:
        """Return a percentile, interpolated within its bucket as Prometheus does.

        Raises:
            ValueError: There are no values.
        """
        bounds = sorted(self.counts)
        wanted = self.counts[math.inf] * percent / 100
        if not wanted:
            raise ValueError("a percentile needs values")
        for lower, upper in pairwise([0.0, *bounds]):
            below = self.counts.get(lower, 0.0)
            if self.counts[upper] >= wanted:
                return (
                    lower
                    if math.isinf(upper)
                    else lower + (upper - lower) * (wanted - below) / (self.counts[upper] - below)
                )
        return bounds[-1]


def histogram(metrics: str, name: str) -> Histogram:
    """Return a histogram without labels from a page of metrics."""
    found = re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', metrics, re.MULTILINE)
    total = re.search(rf"^{name}_sum (\S+)$", metrics, re.MULTILINE)
    return Histogram({float(bound): float(count) for bound, count in found}, float(total[1]) if total else 0.0)
