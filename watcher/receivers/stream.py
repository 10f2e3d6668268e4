"""Writes to a stream of this process, with an outcome as of any other attempt."""

from __future__ import annotations

from typing import Final

from watcher.core.delivery.model import Delivered, Outcome, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode
from watcher.line_writer import ClosedStreamError, LineWriter, Written

PATIENCE_SECONDS: Final = 10.0
"""A reader of the stream that stands still so long makes the attempt fail."""


async def write(writer: LineWriter, text: str) -> Outcome:
    """Write ``text`` and return the outcome."""
    try:
        return _outcome(await writer.write(text, PATIENCE_SECONDS))
    except ClosedStreamError:
        return Refused(reason=Reason(code=ReasonCode.STREAM_CLOSED))
    except OSError as error:
        # A part may have been written.
        return Uncertain(reason=_unwritable(error.strerror or ""))


def _outcome(result: Written) -> Outcome:
    if not result.problem:
        return Delivered()
    reason = _unwritable(result.problem)
    return Uncertain(reason=reason) if result.written or result.is_under_way else TryLater(reason=reason)


def _unwritable(detail: str) -> Reason:
    return Reason(code=ReasonCode.STREAM_UNWRITABLE, detail=detail)
