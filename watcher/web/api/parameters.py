"""The parameters of a request to the API: each is read once, and one that is not known is refused."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final, TypeVar

from starlette.requests import Request

from watcher.core.duration import parse_duration
from watcher.core.timestamps import require_utc
from watcher.web.api.answers import ProblemError

Choice = TypeVar("Choice", bound=StrEnum)

LIMIT: Final = 100
LIMIT_MAX: Final = 1000
_PLUS: Final = re.compile(r" (?=[0-9]{2}:[0-9]{2}\Z)")
TEXT_MAX: Final = 500
"""The longest value of a parameter, in characters."""
CURSOR_MAX: Final = 10_000
"""The longest cursor, in characters: one of a training has its service, type and version, of 256 characters each, and a
character outside ASCII takes up to twelve."""


class Parameters:
    """The query of a request.

    Each method raises ``ProblemError`` for a value that cannot be used. ``finish`` refuses those that nobody has read.
    """

    def __init__(self, request: Request) -> None:
        self._given = request.query_params
        self._read: set[str] = set()

    def text(self, name: str, longest: int = TEXT_MAX) -> str | None:
        """Return a text of at most ``longest`` characters; ``None`` where it is missing."""
        found = self._values(name, longest)
        if len(found) > 1:
            raise refused(name, "is given more than once")
        return found[0] if found else None

    def choices(self, name: str, known: type[Choice]) -> frozenset[Choice]:
        """Return the values of a parameter that may be repeated; empty where it is missing."""
        return frozenset(_one_of(name, text, known) for text in self._values(name))

    def choice(self, name: str, known: type[Choice]) -> Choice | None:
        """Return one of the known values; ``None`` where it is missing."""
        text = self.text(name)
        return None if text is None else _one_of(name, text, known)

    def flag(self, name: str) -> bool:
        """Return ``true`` or ``false``; false where it is missing."""
        text = self.text(name)
        if text not in {None, "true", "false"}:
            raise refused(name, f"is {text!r}; write true or false")
        return text == "true"

    def cursor(self, name: str) -> str | None:
        """Return the ``next`` of an earlier answer; ``None`` where it is missing."""
        return self.text(name, CURSOR_MAX)

    def limit(self) -> int:
        """Return the number of items of a page."""
        text = self.text("limit")
        if text is None:
            return LIMIT
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(LIMIT_MAX)) and 1 <= int(text) <= LIMIT_MAX):
            raise refused("limit", f"is {text!r}; write a number from 1 to {LIMIT_MAX}")
        return int(text)

    def since(self, now: datetime) -> datetime | None:
        """Return the time of ``since``: RFC 3339 with a zone, or a duration before the present, e.g. ``24h``."""
        text = self.text("since")
        if text is None:
            return None
        time = _time(text) or _before(text, now)
        if time is None:
            raise refused("since", f"is {text!r}; write a time with its zone, e.g. {now:%Y-%m-%dT00:00:00}Z, or 24h")
        return time

    def finish(self) -> None:
        """Refuse a parameter that was not read: it may be a misspelt filter.

        Raises:
            ProblemError: there is one.
        """
        unknown = sorted(set(self._given) - self._read)
        if unknown:
            known = ", ".join(sorted(self._read)) or "none"
            raise refused(unknown[0][:TEXT_MAX], f"is not known; the parameters are: {known}")

    def _values(self, name: str, longest: int = TEXT_MAX) -> list[str]:
        self._read.add(name)
        found = self._given.getlist(name)
        for text in found:
            if len(text) > longest or "\x00" in text:
                raise refused(name, f"is longer than {longest} characters, or has a NUL")
        return found


def refused(name: str, problem: str) -> ProblemError:
    """Return the error about a parameter."""
    return ProblemError(HTTPStatus.BAD_REQUEST, "bad-parameter", f"{name} {problem}", parameter=name)


def _one_of(name: str, text: str, known: type[Choice]) -> Choice:
    values: Collection[str] = [item.value for item in known]
    if text not in values:
        raise refused(name, f"is {text!r}; write one of {', '.join(values)}")
    return known(text)


def _time(text: str) -> datetime | None:
    try:
        # A plus sign in a query means a blank.
        time = datetime.fromisoformat(_PLUS.sub("+", text))
        return None if time.tzinfo is None else require_utc(time)
    except (ValueError, OverflowError):
        return None


def _before(text: str, now: datetime) -> datetime | None:
    try:
        length = parse_duration(text)
    except ValueError:
        return None
    earliest = now - datetime.min.replace(tzinfo=UTC)
    return now - min(length, earliest - timedelta(days=1))
