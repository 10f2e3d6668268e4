"""The runs in progress and the retrainings that the metrics show one by one: a bounded number, read in short parts."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from watcher.core.health.readiness import SERIES_MAX
from watcher.core.polling.plan import Poll
from watcher.core.training.model import Snapshot
from watcher.core.training.overdue import ExpectedRetraining
from watcher.core.training.stuck import RunInProgress, run_in_progress
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.runs.deadlines import rules_of
from watcher.pipeline.polling.runs.overdue import expected_retrainings

Item = TypeVar("Item")

POLLS_AT_ONCE: Final = 100
"""Other tasks run after so many polls: with ten thousand of them, all at once would delay the polls themselves."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


async def runs_in_progress(cache: PollCache, polls: Iterable[Poll]) -> list[RunInProgress]:
    """Return the runs in progress of these polls; of more than ``SERIES_MAX`` the stuck ones and the longest."""

    def of(poll: Poll) -> list[tuple[Poll, Snapshot]]:
        return [(poll, item) for item in ([] if poll.discovers else cache.in_progress(poll)) if not item.gone]

    chosen = await _first(_parts(polls, of), lambda item: _rank_of_run(item[1]))
    return [run_in_progress(snapshot, rules_of(poll, snapshot.ref)) for poll, snapshot in chosen]


async def retrainings(cache: PollCache, polls: Iterable[Poll]) -> list[ExpectedRetraining]:
    """Return the retrainings of these polls; of more than ``SERIES_MAX`` the overdue ones and the next to be."""
    return await _first(_parts(polls, lambda poll: expected_retrainings(cache, poll)), _rank_of_retraining)


def _rank_of_run(snapshot: Snapshot) -> tuple[bool, datetime]:
    is_reported = snapshot.run is not None and snapshot.run.report is not None
    return not is_reported, snapshot.changed_before or snapshot.first_seen_at


def _rank_of_retraining(item: ExpectedRetraining) -> tuple[bool, datetime]:
    return not item.reported, item.deadline or _NEVER


async def _parts(polls: Iterable[Poll], of: Callable[[Poll], Sequence[Item]]) -> AsyncIterator[list[Item]]:
    """Yield the items of the polls in parts, with a pause after each."""
    # A reload may change the targets during a pause.
    planned = list(polls)
    for start in range(0, len(planned), POLLS_AT_ONCE):
        yield [item for poll in planned[start : start + POLLS_AT_ONCE] for item in of(poll)]
        await asyncio.sleep(0)


async def _first(parts: AsyncIterator[list[Item]], rank: Callable[[Item], Any]) -> list[Item]:
    """Return the first items by rank, in the order of the polls where there are not too many."""
    found: list[Item] = []
    async for part in parts:
        found += part
        if len(found) > SERIES_MAX:
            found = heapq.nsmallest(SERIES_MAX, found, key=rank)
    return found
