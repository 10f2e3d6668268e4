"""The daemon's state in one line, for ``systemctl status``: the reasons against its readiness first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from watcher.core.delivery.state import NEEDS_OPERATOR, OPEN_STATES, State
from watcher.core.health.readiness import NotReadyReason
from watcher.core.plural import counted
from watcher.pipeline.polling.poller import Poller
from watcher.store.delivery.views import NOT_WELL
from watcher.store.views import open_views

Reasons = Callable[[], Awaitable[Sequence[NotReadyReason]]]


async def status_line(poller: Poller, store_url: str, reasons: Reasons) -> str:
    """Return why the watcher is not ready, then the numbers of services, trainings, incidents and deliveries."""
    not_ready = await reasons()
    counts = await asyncio.to_thread(_delivery_counts, store_url)
    trainings, services = poller.watched()
    waiting = sum(counts.get(state, 0) for state in OPEN_STATES)
    parts = [
        *(f"NOT READY ({reason.code}): {reason.detail}" for reason in not_ready),
        f"polling {counted(services, 'service')} with {counted(trainings, 'training')}",
        counted(len(poller.cache.open_incidents()), "open incident"),
        f"{counted(waiting, 'delivery', 'deliveries')} waiting",
    ]
    if failed := sum(counts.get(state, 0) for state in NEEDS_OPERATOR):
        parts.append(f"{counted(failed, 'delivery', 'deliveries')} held or dead, see aitems-watcher deliveries list")
    return "; ".join(parts)


def first_round(poller: Poller) -> Mapping[str, object]:
    """Return the findings of the first poll of everything, for one log line."""
    trainings, services = poller.watched()
    return {
        "services": services,
        "trainings": trainings,
        "statuses": dict(sorted(poller.statuses().items())),
        "failed_polls": len(poller.failing()),
    }


def _delivery_counts(store_url: str) -> Mapping[State, int]:
    counts: Counter[State] = Counter()
    with open_views(store_url) as views:
        for queue in views.queues(NOT_WELL):
            counts[queue.state] += queue.count
    return counts
