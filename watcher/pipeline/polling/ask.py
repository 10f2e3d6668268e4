"""Asking: the one call that a look is, or the single views that stand in for a refused list."""

from __future__ import annotations

from typing import Final

import structlog

from watcher.core.polling.plan import Look
from watcher.core.polling.result import Cause, Seen, Unseen, joined
from watcher.pipeline.polling.recorder import Target
from watcher.pipeline.ports import Api, Clock

log = structlog.get_logger()

LIST_REFUSALS: Final = frozenset({Cause.PERMISSION, Cause.REFUSED, Cause.NOT_FOUND})
"""What says that the list call is not to be had, while view calls may be."""
VIEWS_INSTEAD_SECONDS: Final = 3600.0


async def ask(target: Target, api: Api, clock: Clock) -> Seen | Unseen:
    """Ask what a target asks; where a joined list is refused, single views do for a while."""
    look = target.look
    if look.training is not None:
        return await api.view(look.training)
    if target.views_until > clock.monotonic():
        return await _ask_singly(api, look)
    sight = await api.list(look.service)
    if look.whole or isinstance(sight, Seen) or sight.cause not in LIST_REFUSALS:
        return sight
    log.warning("look.list_refused", look=look.key, cause=sight.cause, detail=sight.detail, instead="views")
    target.views_until = clock.monotonic() + VIEWS_INSTEAD_SECONDS
    return await _ask_singly(api, look)


async def _ask_singly(api: Api, look: Look) -> Seen | Unseen:
    """Ask for each training of a joined list by a view; what is seen counts as one answer."""
    sights = [await api.view(ref) for ref in look.single]
    seen = [sight for sight in sights if isinstance(sight, Seen)]
    return joined(seen) if seen else sights[0]
