"""Asking: the one call that a look is, or the single views that stand in for a refused list."""

from __future__ import annotations

from typing import Final

import structlog

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure, PollResult, join_results
from watcher.pipeline.polling.recorder import Target
from watcher.pipeline.ports import Api, Clock

log = structlog.get_logger()

LIST_REFUSALS: Final = frozenset({Cause.PERMISSION, Cause.REFUSED, Cause.NOT_FOUND})
"""What says that the list call is not to be had, while view calls may be."""
VIEWS_INSTEAD_SECONDS: Final = 3600.0


async def ask(target: Target, api: Api, clock: Clock) -> PollResult | PollFailure:
    """Ask what a target asks; where a join_results list is refused, single views do for a while."""
    poll = target.poll
    if poll.training is not None:
        return await api.view(poll.training)
    if target.views_until > clock.monotonic():
        return await _ask_singly(api, poll)
    outcome = await api.list(poll.service)
    if poll.whole_service or isinstance(outcome, PollResult) or outcome.cause not in LIST_REFUSALS:
        return outcome
    log.warning("poll.list_refused", poll=poll.key, cause=outcome.cause, detail=outcome.detail, instead="views")
    target.views_until = clock.monotonic() + VIEWS_INSTEAD_SECONDS
    return await _ask_singly(api, poll)


async def _ask_singly(api: Api, poll: Poll) -> PollResult | PollFailure:
    """Ask for each training of a join_results list by a view; what is seen counts as one answer."""
    outcomes = [await api.view(ref) for ref in poll.single]
    seen = [outcome for outcome in outcomes if isinstance(outcome, PollResult)]
    return join_results(seen) if seen else outcomes[0]
