"""Views beside the schedule: they confirm an end, or search for a training that a list lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Final

import structlog

from watcher.core.polling.result import Cause, PollFailure, PollResult
from watcher.core.training.model import TrainingRef
from watcher.pipeline.polling.ask import Caller
from watcher.pipeline.polling.corroborate import ListSays
from watcher.pipeline.polling.decider import Decider
from watcher.pipeline.polling.poll_changes import Changes
from watcher.pipeline.polling.targets import PollContext, PollTarget
from watcher.pipeline.ports import Api

log = structlog.get_logger()

CONFIRM_BY_VIEW: Final = 3
"""Up to so many ends of one list are confirmed by a view each; more of them by the same list, polled again at once."""
VIEWS_A_POLL: Final = 20
"""So many trainings that a list hides or lacks are viewed after it; the next lists bring the others."""

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
        self._logged: dict[str, set[TrainingRef]] = {}
        """By the key of a poll, the trainings that its latest list did not show and that are in the log."""
        self._views: dict[str, dict[TrainingRef, int]] = {}
        """By the key of a poll, the number of views of each training that its latest list hid."""
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
        """View the trainings that the list does not show: those with a watch of their own, and some hidden ones.

        A record that cannot be read hides a training. Where many are hidden, they take turns.
        """
        lacking = result.absent(target.poll.single)
        hidden = [*result.hidden(target.poll.single), *self._hidden_in_turn(target, result)]
        self._log_unlisted(target.poll.key, [*lacking, *hidden])
        for ref in (*lacking, *hidden):
            if (failure := result.failed_views.get(ref)) is not None:
                await self._record_failure(target, ref, failure)
            else:
                await self._view(api, target, ref, confirming=False, hidden=ref not in lacking)

    def forget(self, key: str) -> None:
        """Forget the lists of a poll that ends."""
        self._views.pop(key, None)
        self._logged.pop(key, None)
        self._polled_again.discard(key)

    def _log_unlisted(self, key: str, refs: Sequence[TrainingRef]) -> None:
        """Log each training once, until a list shows it; those that wait for their turn are still unlisted."""
        logged = self._logged.pop(key, set()) & {*refs, *self._views.get(key, ())}
        for ref in refs:
            if ref not in logged:
                log.warning("poll.training_not_listed", training=ref.subject, instead="view")
        if logged or refs:
            self._logged[key] = logged.union(refs)

    def _hidden_in_turn(self, target: PollTarget, result: PollResult) -> list[TrainingRef]:
        """Return the hidden trainings to view after this list, those in progress first."""
        hidden = [item for item in self._decider.not_shown(target.poll, result) if item.ref not in target.poll.single]
        before = self._views.pop(target.poll.key, {})
        views = {item.ref: before.get(item.ref, 0) for item in hidden}
        hidden.sort(key=lambda item: (not item.may_be_in_progress, views[item.ref]))
        refs = [item.ref for item in hidden[:VIEWS_A_POLL]]
        for ref in refs:
            views[ref] += 1
        if views:
            self._views[target.poll.key] = views
        return refs

    def _is_first_in_a_row(self, key: str) -> bool:
        """Note that a list needs to be polled again; a list with other ends each time keeps its interval."""
        is_first = key not in self._polled_again
        self._polled_again.add(key)
        return is_first

    async def _view(
        self, api: Api, target: PollTarget, ref: TrainingRef, *, confirming: bool, hidden: bool = False
    ) -> None:
        """View one training; after a failure, the next poll decides, or the end of the wait for a confirmation."""
        if target.retired:
            return
        try:
            unlisted = not confirming and not hidden
            outcome = await self._caller.view(ref, api, first=not hidden, listed=ListSays.NOTHING if unlisted else None)
            if isinstance(outcome, PollResult):
                decide = partial(self._decider.viewed, result=outcome, confirming=confirming, unlisted=unlisted)
                await self._record(target, decide)
            elif confirming and not (outcome.cause is Cause.NOT_FOUND and ref in target.poll.single):
                log.debug("poll.view_failed", training=ref.subject, cause=outcome.cause, detail=outcome.detail)
            else:
                await self._record_failure(target, ref, outcome)
        except Exception:
            log.exception("poll.record_failed", poll=target.poll.key, training=ref.subject)

    async def _record_failure(self, target: PollTarget, ref: TrainingRef, failure: PollFailure) -> None:
        """Record the failed view of a training that its list does not show."""
        is_absent = failure.cause is Cause.NOT_FOUND
        if not is_absent:
            log.debug("poll.view_failed", training=ref.subject, cause=failure.cause, detail=failure.detail)
        decide = self._decider.not_found if is_absent else self._decider.view_failed
        await self._record(target, partial(decide, ref=ref, failure=failure))
