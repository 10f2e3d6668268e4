"""Read the present values of metrics, so that a page shows those of ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Counter, Gauge, Histogram


def values_of(metric: Counter | Gauge) -> Iterator[tuple[Mapping[str, str], float]]:
    """Yield each series of a counter or a gauge: its labels and its value."""
    for family in metric.collect():
        # A counter has the time of its creation as well.
        yield from ((item.labels, item.value) for item in family.samples if not item.name.endswith("_created"))


def buckets_of(metric: Histogram) -> list[tuple[float, float]]:
    """Return the bounds of the buckets of a histogram without labels, each with its cumulative count."""
    return [
        (float(item.labels["le"]), item.value)
        for family in metric.collect()
        for item in family.samples
        if item.name.endswith("_bucket")
    ]
