"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, e.g. ``1 poll`` or ``3 polls``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
