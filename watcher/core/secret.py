"""Secrets as a type of their own, which cannot be printed, logged or stored by mistake."""

from __future__ import annotations

import re
from typing import Final, final

STARS = "**********"
QUOTES: Final = (('"', '"'), ("'", "'"), ("`", "`"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))
"""Pairs around a text, also those that a word processor makes."""
ASSIGNMENT: Final = re.compile(r"(export\s+)?[A-Za-z_][A-Za-z0-9_]*(=|\s+=\s+)[^=\s].*")
"""A line of a shell or of an environment file. Base64 ends with ``=``; another key may follow after a blank."""


@final
class Secret:
    """A text that appears as stars everywhere except in ``reveal``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; call it only to put it on the wire or into a signature."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret('{STARS}')"

    def __str__(self) -> str:
        return STARS

    def __format__(self, format_spec: str) -> str:
        return format(STARS, format_spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret cannot be pickled")


def revealed(value: str | Secret) -> str:
    """Return a text that may be a secret; call it only to put it on the wire."""
    return value.reveal() if isinstance(value, Secret) else value


def hint(secret: Secret) -> str:
    """Return the likely mistake in a secret and its remedy, without the secret; empty if there is none.

    A shell and systemd remove quotes and the name before ``=``. A file, a credential and ``docker --env-file`` keep
    them, so that they become part of the secret.
    """
    text = secret.reveal()
    if ASSIGNMENT.fullmatch(text):
        return "looks like NAME=VALUE: leave only the value there"
    if any(len(text) > 1 and text.startswith(first) and text.endswith(last) for first, last in QUOTES):
        return "is in quotes, which count as part of it: remove them"
    return ""
