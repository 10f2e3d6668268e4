"""Record an action that has had its effect already."""

from __future__ import annotations

import asyncio
from typing import Final

from watcher.core.action import Action
from watcher.operations.ports import ActionStore

RECORD_SECONDS: Final = 5.0
"""The longest wait for the store: whoever acted must get an answer also while that is locked."""


async def problem_of_recording(actions: ActionStore, action: Action) -> str | None:
    """Record an action; return why that has failed, or ``None``.

    The effect cannot be undone, and counts more than its record.
    """
    try:
        async with asyncio.timeout(RECORD_SECONDS):
            await actions.record(action)
    except TimeoutError:
        return f"the store was locked for {RECORD_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, the effect stays
        # The error of a database has its statement, too.
        return str(getattr(error, "orig", None) or error) or type(error).__name__
    return None
