"""Add a silence, or end one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from watcher.core.action import AUTHOR_MAX
from watcher.core.routing.matcher import Matcher, matcher_of
from watcher.core.routing.silence import LONGEST, REASON_MAX, Silence, is_allowed_length
from watcher.operations.errors import OperationRefusedError
from watcher.operations.ports import SilenceStore
from watcher.store.silences import SilenceRefusedError

ADD: Final = "silence.add"
"""The command on the control socket."""
END: Final = "silence.end"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSilence:
    """A request to silence matching events from now on."""

    match: Matcher
    lasts: timedelta
    author: str
    reason: str

    @classmethod
    def from_json(cls, arguments: Mapping[str, object]) -> Self:
        """Read the request from ``match``, ``seconds``, ``by`` and ``why``.

        Raises:
            OperationRefusedError: one of them is missing or invalid.
        """
        return cls(
            match=_match(arguments),
            lasts=_length(arguments),
            author=_text(arguments, "by", AUTHOR_MAX),
            reason=_text(arguments, "why", REASON_MAX),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEnd:
    """A request to end a silence early."""

    id: str
    """The id, or a beginning that fits no other silence."""
    by: str

    @classmethod
    def from_json(cls, arguments: Mapping[str, object]) -> Self:
        """Read the request from ``id`` and ``by``.

        Raises:
            OperationRefusedError: one of them is missing.
        """
        return cls(id=_text(arguments, "id", AUTHOR_MAX), by=_text(arguments, "by", AUTHOR_MAX))


async def add_silence(silences: SilenceStore, request: NewSilence, now: datetime) -> Silence:
    """Store a silence that begins now, and return it."""
    return await silences.add(request.match, request.lasts, request.author, request.reason, now)


async def end_silence(silences: SilenceStore, request: SilenceEnd, now: datetime) -> Silence:
    """End a silence now, and return it.

    Raises:
        OperationRefusedError: there is no such silence, or it is over.
    """
    try:
        return await silences.end(request.id, request.by, now)
    except SilenceRefusedError as error:
        raise OperationRefusedError(str(error)) from None


def _match(arguments: Mapping[str, object]) -> Matcher:
    words = arguments.get("match")
    if not isinstance(words, dict) or not words or not all(isinstance(found, list) for found in words.values()):
        raise OperationRefusedError('name the events to silence, e.g. {"service": ["6wxgu1abcde"]}')
    return matcher_of({str(key): [str(word) for word in found] for key, found in words.items()})


def _length(arguments: Mapping[str, object]) -> timedelta:
    seconds = arguments.get("seconds")
    try:
        lasts = timedelta(seconds=seconds) if isinstance(seconds, int | float) else timedelta()
    except (OverflowError, ValueError):
        lasts = timedelta()
    if not is_allowed_length(lasts):
        raise OperationRefusedError(f"a silence lasts up to {LONGEST.days} days; give its length in seconds")
    return lasts


def _text(arguments: Mapping[str, object], key: str, longest: int) -> str:
    text = str(arguments.get(key) or "").strip()
    if not text:
        raise OperationRefusedError(f"{key} is missing; a silence needs an author and a reason, and ends by its id")
    if len(text) > longest:
        raise OperationRefusedError(f"{key} has {len(text)} characters; write at most {longest}")
    return text
