"""Views of trainings that two lists in a row lack: a list that is empty or cut short makes nothing gone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult
from watcher.core.training.model import NOT_ENDED, TrainingRef, phase_of
from watcher.pipeline.polling.ask import Caller
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.confirm import Record
from watcher.pipeline.polling.decider import MANY, Decider
from watcher.pipeline.polling.targets import PollTarget
from watcher.pipeline.ports import Api

log = structlog.get_logger()

SAMPLE: Final = 2
"""So many are viewed when many vanish at once."""
VIEWS_A_POLL: Final = 20
"""So many trainings in progress are viewed in place of an incomplete list; the next lists bring the others."""


class VanishedTrainings:
    """Decides by views whether unlisted trainings are gone.

    Args:
        decider: decides on the views.
        caller: makes the calls.
        cache: the recorded trainings.
        record: records these decisions.
    """

    def __init__(self, decider: Decider, caller: Caller, cache: PollCache, record: Record) -> None:
        self._decider = decider
        self._caller = caller
        self._cache = cache
        self._record = record

    async def check(self, api: Api, target: PollTarget, unlisted: Sequence[TrainingRef]) -> None:
        """View trainings that two lists in a row lack, and record the consequence."""
        ordered = sorted(unlisted, key=self._priority)
        sample = ordered if len(ordered) < MANY else ordered[:SAMPLE]
        outcomes = {ref: await self._caller.view(ref, api, first=True) for ref in sample}
        found = [outcome for outcome in outcomes.values() if isinstance(outcome, PollResult)]
        for result in found:
            await self._record(target, partial(self._decider.viewed, result=result, unlisted=True))
        gone = _gone(ordered, outcomes)
        if gone:
            ended_at = max(outcome.ended_at for outcome in outcomes.values() if isinstance(outcome, PollFailure))
            await self._record(target, partial(self._decider.vanished, refs=gone, now=ended_at, viewed=sample))
        if found:
            await self._view_in_progress(api, target, [ref for ref in ordered if ref not in outcomes])

    async def _view_in_progress(self, api: Api, target: PollTarget, refs: Sequence[TrainingRef]) -> None:
        """View trainings that an incomplete list hides, one after the other, so that other polls are not held up."""
        for ref in [ref for ref in refs if self._is_in_progress(ref)][:VIEWS_A_POLL]:
            if target.retired:
                return
            outcome = await self._caller.view(ref, api)
            if isinstance(outcome, PollResult):
                await self._record(target, partial(self._decider.viewed, result=outcome, unlisted=True))
            elif outcome.cause is Cause.NOT_FOUND:
                await self._record(
                    target, partial(self._decider.vanished, refs=[ref], now=outcome.ended_at, viewed=[ref])
                )
            else:
                log.debug("poll.view_failed", training=ref.subject, cause=outcome.cause, detail=outcome.detail)

    def _is_in_progress(self, ref: TrainingRef) -> bool:
        snapshot = self._cache.training(ref)
        return snapshot is not None and phase_of(snapshot.status or "") in NOT_ENDED

    def _priority(self, ref: TrainingRef) -> tuple[bool, str]:
        """Order by trainings in progress, and among them by the longest time without an answer."""
        snapshot = self._cache.training(ref)
        return not self._is_in_progress(ref), "" if snapshot is None else snapshot.seen_after.isoformat()


def _gone(unlisted: Sequence[TrainingRef], outcomes: dict[TrainingRef, PollOutcome]) -> list[TrainingRef]:
    """Return the trainings that are gone: each one that was not found, and all where no sampled one was found."""
    missing = [
        ref
        for ref, outcome in outcomes.items()
        if isinstance(outcome, PollFailure) and outcome.cause is Cause.NOT_FOUND
    ]
    if len(missing) == len(outcomes):
        return list(unlisted)
    # A view that failed otherwise leaves the question open for many: the next list asks again.
    decided = all(isinstance(outcome, PollResult) or ref in missing for ref, outcome in outcomes.items())
    return missing if decided or len(unlisted) < MANY else []
