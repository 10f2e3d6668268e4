"""Repeat a decision whose facts changed before it was written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from watcher.core.routing.planning import OutdatedDecisionError

log = structlog.get_logger()

T = TypeVar("T")

DECISIONS_MAX: Final = 10
"""Each failure means that another write succeeded; so many in a row point to a bug."""


async def until_current(decide_and_write: Callable[[], Awaitable[T]]) -> T:
    """Decide and write, again each time when the store refuses the decision as outdated.

    Raises:
        OutdatedDecisionError: the store refused every decision.
    """
    for _ in range(DECISIONS_MAX - 1):
        try:
            return await decide_and_write()
        except OutdatedDecisionError as error:
            log.debug("decision.repeated", reason=str(error))
    return await decide_and_write()
