"""Views of trainings that two lists in a row lack: a list that is empty or cut short makes nothing gone.

Each training is viewed, up to a limit for each list. So some that are deleted say nothing about others that the list
lacks at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult
from watcher.core.training.model import TrainingRef
from watcher.pipeline.polling.ask import Caller
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.confirm import VIEWS_A_POLL, Record
from watcher.pipeline.polling.corroborate import ListSays
from watcher.pipeline.polling.decider import Decider
from watcher.pipeline.polling.targets import PollTarget
from watcher.pipeline.ports import Api, Clock

log = structlog.get_logger()

LACKED: Final = ListSays.NOTHING
"""The evidence of two lists that lack a training; they may be cut short, so another answer must corroborate it."""
VIEWS_FIRST: Final = 2
"""So many of these views go before scheduled polls."""


class VanishedTrainings:
    """Decides by views whether unlisted trainings are gone.

    Args:
        decider: decides on the views.
        caller: makes the calls.
        cache: the recorded trainings.
        record: records these decisions.
        clock: the machine's clocks.
    """

    def __init__(self, decider: Decider, caller: Caller, cache: PollCache, record: Record, clock: Clock) -> None:
        self._decider = decider
        self._caller = caller
        self._cache = cache
        self._record = record
        self._clock = clock
        self._viewed_at: dict[TrainingRef, float] = {}
        """The latest view of an unlisted training, in monotonic seconds."""

    async def check(self, api: Api, target: PollTarget, unlisted: Sequence[TrainingRef]) -> None:
        """View trainings that two lists in a row lack, and record the consequence."""
        ordered = sorted(unlisted, key=self._priority)
        outcomes = await self._view(api, target, ordered[:VIEWS_A_POLL])
        missing = [ref for ref, outcome in outcomes.items() if _is_missing(outcome)]
        if not missing:
            return
        ended_at = max(outcome.ended_at for outcome in outcomes.values() if isinstance(outcome, PollFailure))
        gone = [*missing, *self._inferred(ordered, outcomes, missing)]
        await self._record(target, partial(self._decider.vanished, refs=gone, now=ended_at, viewed=missing))
        for ref in gone:
            self._viewed_at.pop(ref, None)

    async def _view(self, api: Api, target: PollTarget, refs: Sequence[TrainingRef]) -> dict[TrainingRef, PollOutcome]:
        """View trainings, and record what is still there; a list that turns out to be incomplete needs fewer views."""
        outcomes: dict[TrainingRef, PollOutcome] = {}
        for ref in refs:
            if target.retired or (len(outcomes) >= VIEWS_FIRST and not self._is_worth(ref, outcomes)):
                break
            self._viewed_at[ref] = self._clock.monotonic()
            is_first = len(outcomes) < VIEWS_FIRST
            outcome = outcomes[ref] = await self._caller.view(ref, api, first=is_first, listed=LACKED)
            if isinstance(outcome, PollResult):
                await self._record(target, partial(self._decider.viewed, result=outcome, unlisted=True))
            elif not _is_missing(outcome):
                log.debug("poll.view_failed", training=ref.subject, cause=outcome.cause, detail=outcome.detail)
        return outcomes

    def _is_worth(self, ref: TrainingRef, outcomes: Mapping[TrainingRef, PollOutcome]) -> bool:
        """Return whether to go on: views that all fail say nothing, and an end behind an incomplete list can wait."""
        found = any(isinstance(outcome, PollResult) for outcome in outcomes.values())
        missing = any(_is_missing(outcome) for outcome in outcomes.values())
        return self._is_in_progress(ref) if found else missing

    def _inferred(
        self,
        unlisted: Sequence[TrainingRef],
        outcomes: Mapping[TrainingRef, PollOutcome],
        missing: Sequence[TrainingRef],
    ) -> list[TrainingRef]:
        """Return the trainings beyond the limit of views that are gone, too: ends, where no view found anything."""
        rest = [ref for ref in unlisted if ref not in outcomes]
        is_certain = len(missing) == len(outcomes) >= VIEWS_A_POLL and not any(map(self._is_in_progress, rest))
        return rest if is_certain else []

    def _is_in_progress(self, ref: TrainingRef) -> bool:
        snapshot = self._cache.training(ref)
        return snapshot is not None and snapshot.may_be_in_progress

    def _priority(self, ref: TrainingRef) -> tuple[bool, float, str]:
        """Order by trainings in progress, and among them by the longest time without a view or an answer."""
        snapshot = self._cache.training(ref)
        seen_after = "" if snapshot is None else snapshot.seen_after.isoformat()
        return not self._is_in_progress(ref), self._viewed_at.get(ref, 0.0), seen_after


def _is_missing(outcome: PollOutcome) -> bool:
    return isinstance(outcome, PollFailure) and outcome.cause is Cause.NOT_FOUND
