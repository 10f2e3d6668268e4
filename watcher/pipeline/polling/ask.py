"""The call of a poll: a list, a view, or views in place of a refused list."""

from __future__ import annotations

from typing import Final

import structlog

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult, join_results
from watcher.pipeline.ports import Api, Clock

log = structlog.get_logger()

LIST_REFUSALS: Final = frozenset({Cause.PERMISSION, Cause.REFUSED, Cause.NOT_FOUND})
"""Causes for which a list call fails while view calls may succeed."""
VIEWS_INSTEAD_SECONDS: Final = 3600.0
"""The time after which a refused list is called again."""


class Caller:
    """Makes the calls of polls, and remembers which joined lists AiTEMS refuses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._views_until: dict[str, float] = {}
        """By poll key, in monotonic seconds."""

    async def call(self, poll: Poll, api: Api) -> PollOutcome:
        """Make the call of a poll; single views replace an unreadable joined list, and a refused one for an hour."""
        if poll.training is not None:
            return await api.view(poll.training)
        if self._views_until.get(poll.key, 0.0) > self._clock.monotonic():
            return await _view_each(api, poll)
        outcome = await api.list(poll.service)
        if poll.whole_service or isinstance(outcome, PollResult):
            return outcome
        if outcome.cause is Cause.BAD_ANSWER:
            # The list may be too large to be read, and the next one may be readable again.
            return await _view_each(api, poll)
        if outcome.cause not in LIST_REFUSALS:
            return outcome
        log.warning("poll.list_refused", poll=poll.key, cause=outcome.cause, detail=outcome.detail, instead="views")
        self._views_until[poll.key] = self._clock.monotonic() + VIEWS_INSTEAD_SECONDS
        return await _view_each(api, poll)


async def _view_each(api: Api, poll: Poll) -> PollResult | PollFailure:
    """View each training of a joined list; the results that arrive count as one."""
    outcomes = [await api.view(ref) for ref in poll.single]
    results = [outcome for outcome in outcomes if isinstance(outcome, PollResult)]
    return join_results(results) if results else outcomes[0]
