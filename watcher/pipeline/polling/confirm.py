"""Views beside the schedule: they confirm an end, or search for a training that a list lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollResult
from watcher.core.training.model import TrainingRef
from watcher.pipeline.polling.ask import Caller
from watcher.pipeline.polling.decider import Changes, Decider
from watcher.pipeline.polling.targets import PollContext, PollTarget
from watcher.pipeline.ports import Api

log = structlog.get_logger()

CONFIRM_BY_VIEW: Final = 3
"""Up to so many ends of one list are confirmed by a view each; more of them by the same list, polled again at once."""

Record = Callable[[PollTarget, Callable[[PollContext], Changes]], Awaitable[Changes]]
Spawn = Callable[[Coroutine[object, object, None]], None]


class Confirmer:
    """Views single trainings.

    Args:
        decider: decides on the views.
        caller: makes the calls.
        record: records these decisions.
        spawn: runs a view beside the poll that needs it.
    """

    def __init__(self, decider: Decider, caller: Caller, record: Record, spawn: Spawn) -> None:
        self._decider = decider
        self._caller = caller
        self._record = record
        self._spawn = spawn
        self._unlisted: set[TrainingRef] = set()
        """Trainings with a watch of their own that a list lacked; each is logged once."""
        self._polled_again: set[str] = set()
        """The polls whose latest list was polled again at once, by key."""

    async def confirm(self, api: Api, target: PollTarget, unconfirmed: list[TrainingRef], *, wait: bool) -> bool:
        """Confirm the ends of a list by views; return whether the list is to be polled again at once instead.

        Args:
            api: the account's.
            target: the poll with the list.
            unconfirmed: the trainings whose end needs a confirmation.
            wait: whether to wait for the views.
        """
        if len(unconfirmed) > CONFIRM_BY_VIEW:
            return self._is_first_in_a_row(target.poll.key)
        self._polled_again.discard(target.poll.key)
        views = [self._view(api, target, ref, confirming=True) for ref in unconfirmed]
        if wait:
            await asyncio.gather(*views)
        else:
            for view in views:
                self._spawn(view)
        return False

    async def view_missing(self, api: Api, target: PollTarget, result: PollResult) -> None:
        """View the trainings with a watch of their own that the list lacks."""
        shown = {observation.ref for observation in result.observations}
        for ref in target.poll.single:
            if ref in shown:
                continue
            if ref not in self._unlisted:
                self._unlisted.add(ref)
                log.warning("poll.training_not_listed", training=ref.subject, instead="view")
            await self._view(api, target, ref, confirming=False)

    def _is_first_in_a_row(self, key: str) -> bool:
        """Note that a list needs to be polled again; a list with other ends each time keeps its interval."""
        is_first = key not in self._polled_again
        self._polled_again.add(key)
        return is_first

    async def _view(self, api: Api, target: PollTarget, ref: TrainingRef, *, confirming: bool) -> None:
        """View one training; after a failure, the next poll decides, or the end of the wait for a confirmation."""
        if target.retired:
            return
        try:
            await self._view_and_record(api, target, ref, confirming=confirming)
        except Exception:
            log.exception("poll.record_failed", poll=target.poll.key, training=ref.subject)

    async def _view_and_record(self, api: Api, target: PollTarget, ref: TrainingRef, *, confirming: bool) -> None:
        outcome = await self._caller.view(ref, api, first=True)
        if isinstance(outcome, PollResult):
            await self._record(
                target, partial(self._decider.viewed, result=outcome, confirming=confirming, unlisted=not confirming)
            )
        elif outcome.cause is Cause.NOT_FOUND and ref in target.poll.single:
            await self._record(target, partial(self._decider.not_found, ref=ref, now=outcome.ended_at))
        else:
            log.debug("poll.view_failed", training=ref.subject, cause=outcome.cause, detail=outcome.detail)
