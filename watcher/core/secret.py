"""Secrets as a type of their own, which cannot be printed, logged or stored by mistake."""

from __future__ import annotations

from typing import final

STARS = "**********"


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
