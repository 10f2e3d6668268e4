"""What the control socket does about silences: ``silence.add`` and ``silence.end``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from watcher.clock import Clock
from watcher.control.protocol import ControlError, Handler
from watcher.core.routing.matcher import Matcher, matcher_of
from watcher.core.routing.silence import LONGEST, Silence, to_json
from watcher.store.silences import SilenceRefusedError, Silences
from watcher.store.sqlite.database import Database

log = structlog.get_logger()

ADD: Final = "silence.add"
END: Final = "silence.end"


def silence_handlers(database: Database, clock: Clock) -> dict[str, Handler]:
    """Return the handlers by command."""

    async def add(arguments: Mapping[str, object]) -> Mapping[str, object]:
        silence = to_json(await perform_add(database, arguments, clock))
        log.info("silence.added", **silence)
        return silence

    async def end(arguments: Mapping[str, object]) -> Mapping[str, object]:
        silence = to_json(await perform_end(database, arguments, clock))
        log.info("silence.ended", **silence)
        return silence

    return {ADD: add, END: end}


async def perform_add(database: Database, arguments: Mapping[str, object], clock: Clock) -> Silence:
    """Keep the silence that the arguments say; also for a command without a daemon."""
    match, lasts = _match(arguments), _lasts(arguments)
    author, reason = _text(arguments, "by"), _text(arguments, "why")
    return await Silences(database).add(match, lasts, author, reason, clock.utc_now())


async def perform_end(database: Database, arguments: Mapping[str, object], clock: Clock) -> Silence:
    """End the silence that the arguments name; also for a command without a daemon."""
    try:
        return await Silences(database).end(_text(arguments, "id"), _text(arguments, "by"), clock.utc_now())
    except SilenceRefusedError as error:
        raise ControlError(str(error)) from None


def _match(arguments: Mapping[str, object]) -> Matcher:
    words = arguments.get("match")
    if not isinstance(words, dict) or not words or not all(isinstance(found, list) for found in words.values()):
        raise ControlError('name what is silenced, e.g. {"service": ["6wxgu1abcde"]}')
    return matcher_of({str(key): [str(word) for word in found] for key, found in words.items()})


def _lasts(arguments: Mapping[str, object]) -> timedelta:
    seconds = arguments.get("seconds")
    if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST.total_seconds():
        raise ControlError(f"a silence lasts up to {LONGEST.days} days; give its seconds")
    return timedelta(seconds=seconds)


def _text(arguments: Mapping[str, object], key: str) -> str:
    text = str(arguments.get(key) or "").strip()
    if not text:
        raise ControlError(f"{key} is missing; a silence has an author and a reason, and is ended by its id")
    return text
