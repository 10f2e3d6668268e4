"""Views out of turn: what confirms an end, and what asks for a training that a list lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollResult
from watcher.core.training.model import TrainingRef
from watcher.pipeline.polling.recorder import Recorder, Target
from watcher.pipeline.ports import Api

log = structlog.get_logger()

CONFIRM_BY_VIEW: Final = 3
"""Up to so many ends of one list are confirmed by a view each; more of them by the list, asked for again at once."""


class Confirmer:
    """Asks for single trainings beside the looks of the agenda.

    Args:
        recorder: takes in what they show.
        spawn: lets a view go on beside the look that wanted it.
    """

    def __init__(self, recorder: Recorder, spawn: Callable[[Coroutine[object, object, None]], None]) -> None:
        self._recorder = recorder
        self._spawn = spawn
        self._unlisted: set[TrainingRef] = set()
        """Trainings watched by themselves that a list was seen to lack; said once."""

    async def confirm(self, api: Api, target: Target, unconfirmed: list[TrainingRef]) -> None:
        """See to it that ends which a list showed are seen a second time."""
        if len(unconfirmed) > CONFIRM_BY_VIEW:
            # Once: a list that shows other ends at each answer is left to its interval.
            target.again_at_once = target.dedup == 0
            target.dedup += 1
            return
        target.dedup = 0
        views = [self._view(api, target, ref, confirming=True) for ref in unconfirmed]
        if target.catch_up_id is None:
            for view in views:
                self._spawn(view)
        else:
            # What was hidden is told together, so the catch-up waits for its ends to be confirmed.
            await asyncio.gather(*views)

    async def view_stragglers(self, api: Api, target: Target, seen: PollResult) -> None:
        """Ask for the trainings that are watched by themselves and that the list lacks."""
        shown = {observation.ref for observation in seen.observations}
        for ref in target.poll.single:
            if ref in shown:
                continue
            if ref not in self._unlisted:
                self._unlisted.add(ref)
                log.warning("poll.training_not_listed", training=ref.subject, instead="view")
            await self._view(api, target, ref)

    async def _view(self, api: Api, target: Target, ref: TrainingRef, *, confirming: bool = False) -> None:
        """Ask for one training out of turn; a failure is left to the next look or to the end of patience."""
        if target.retired:
            return
        try:
            await self._view_out_of_turn(api, target, ref, confirming=confirming)
        except Exception:
            log.exception("poll.record_failed", poll=target.poll.key, training=ref.subject)

    async def _view_out_of_turn(self, api: Api, target: Target, ref: TrainingRef, *, confirming: bool) -> None:
        outcome = await api.view(ref, first=True)
        if isinstance(outcome, PollResult):
            await self._recorder.take_view(target, outcome, confirming=confirming)
        elif outcome.cause is Cause.NOT_FOUND and ref in target.poll.single:
            await self._recorder.take_absence(target, ref, outcome.ended_at)
        else:
            log.debug("poll.view_failed", training=ref.subject, cause=outcome.cause, detail=outcome.detail)
