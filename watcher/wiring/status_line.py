"""How the daemon goes, in one line."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from watcher.core.delivery.model import OPEN_STATES, State
from watcher.core.plural import counted
from watcher.pipeline.polling.poller import Poller
from watcher.store.delivery_views import NOT_WELL
from watcher.store.views import open_views


async def status_line(poller: Poller, store_url: str) -> str:
    """Return what is watched, what cannot be seen, and what is not told yet."""
    queues = await asyncio.to_thread(_queues, store_url)
    trainings, services = poller.watched()
    waiting = sum(queues.get(state, 0) for state in OPEN_STATES)
    connections = [
        f"watching {counted(trainings, 'training')} in {counted(services, 'service')}",
        counted(len(poller.cache.open_incidents()), "incident"),
        f"{counted(waiting, 'alert')} waiting",
    ]
    if lost := queues.get(State.DEAD, 0) + queues.get(State.HELD, 0):
        connections.append(f"{counted(lost, 'alert')} not told, see aitems-watcher status")
    return "; ".join(connections)


def _queues(store_url: str) -> Mapping[State, int]:
    found: Counter[State] = Counter()
    with open_views(store_url) as views:
        for queue in views.queues(NOT_WELL):
            found[queue.state] += queue.count
    return found
