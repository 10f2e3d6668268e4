"""The width of a text in columns, as a terminal and a font for programs have them."""

from __future__ import annotations

import unicodedata
from typing import Final

ELLIPSIS: Final = "…"


def width(text: str) -> int:
    """Return the columns that a text takes on a terminal; Korean letters take two each (Unicode, UAX 11)."""
    return len(text) if text.isascii() else sum(map(character_width, text))


def character_width(character: str) -> int:
    """Return the columns of one character; one that is drawn over the one before takes none."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def shortened(text: str, limit: int) -> str:
    """Return a text that takes at most so many columns, with an ellipsis where it is longer."""
    if width(text) <= limit:
        return text
    kept, used = "", width(ELLIPSIS)
    for character in text:
        used += character_width(character)
        if used > limit:
            break
        kept += character
    return kept + ELLIPSIS
