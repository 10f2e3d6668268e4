"""Lines for people: made of pieces, neutral to the medium that shows them, and safe with any text from outside.

Plain pieces are our own words. Text from AiTEMS or the configuration stands in a ``Code`` piece, so that a renderer can
set it apart and escape it for its medium. Times stay times, so that Slack can show them in the reader's zone.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.timestamps import require_utc

WORD_LIMIT: Final = 100
"""Characters of an id, a name or a status that are shown."""
CUT_MARK: Final = "… (cut, "
"""The beginning of the note at the end of a text that was cut."""
READ_LIMIT: Final = 4_000
"""Characters of a text from outside that are read; more would delay everything else."""


@dataclass(frozen=True, slots=True)
class Code:
    """A text from outside: one line, without control characters, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page, shown as its label where the medium has links."""

    label: str
    url: str
    """An absolute address of printable ASCII."""


@dataclass(frozen=True, slots=True)
class Minute:
    """A time that is shown to the minute, as it is an estimate or needs no more."""

    time: datetime


Piece = str | Code | Link | datetime | Minute
TextLine = tuple[Piece, ...]


def rounded_bounds(after: datetime, before: datetime) -> tuple[datetime, datetime]:
    """Round two bounds outwards to whole seconds, so that they stay true."""
    fraction = timedelta(microseconds=before.microsecond)
    up = timedelta(seconds=1) if fraction else timedelta()
    return after.replace(microsecond=0), before - fraction + up


def plain_text(line: TextLine) -> str:
    """Return a line without any markup, times in UTC."""
    return "".join(plain_piece(piece) for piece in line)


def plain_piece(piece: Piece) -> str:
    """Return one piece without any markup."""
    match piece:
        case datetime():
            return utc_text(piece)
        case Minute():
            return f"{require_utc(piece.time):%Y-%m-%d %H:%M} UTC"
        case Code():
            return piece.text
        case Link():
            return f"{piece.label}: {piece.url}"
        case _:
            return piece


def utc_text(time: datetime) -> str:
    """Write a time for people, to the second, e.g. ``2026-11-23 02:20:11 UTC``."""
    return f"{require_utc(time):%Y-%m-%d %H:%M:%S} UTC"


# Text from outside.

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
_JOINERS: Final = "\u200c\u200d"
"""Format characters that scripts and emoji need; the others reorder or hide text."""
_SPACING: Final = frozenset({"Cc", "Zl", "Zp"})
"""Categories of characters that separate lines, or that a terminal obeys."""


def one_line(text: str, limit: int) -> str:
    """Return text from outside as one line of at most ``limit`` characters that can be shown anywhere.

    Terminal sequences, control characters, and characters that reorder or hide text are removed. Lone surrogates are
    replaced, and white space is folded. A longer text is cut, with a note of the number of characters that are missing.
    """
    visible = text[:READ_LIMIT]
    if not visible.isprintable():
        visible = "".join(map(_visible, _ESCAPE_SEQUENCE.sub("", visible)))
    return cut(" ".join(visible.split()), limit, beyond=len(text[READ_LIMIT:]))


def in_reading_order(text: str) -> str:
    """Return text from outside without characters that reorder or hide text; lone surrogates are replaced."""
    if text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character) in _SPACING else _visible(character) for character in text
    )


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    match unicodedata.category(character):
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case "Cc" | "Zl" | "Zp":
            return " " if character.isspace() else ""
        case "Cf":
            return character if character in _JOINERS else ""
        case _:
            return character


def cut(text: str, limit: int, *, beyond: int = 0) -> str:
    """Return ``text`` in at most ``limit`` characters, with the number of missing characters at the end.

    ``beyond`` is the number of characters that were left out before; above 0 there is always a note.
    """
    if len(text) <= limit and not beyond:
        return text
    keep = max(0, limit - len(cut_note(len(text) + beyond)))
    return (text[:keep] + cut_note(len(text[keep:]) + beyond))[:limit]


def cut_note(left_out: int) -> str:
    """Return the note at the end of a text or list of which ``left_out`` characters or items are not shown."""
    return f"{CUT_MARK}{left_out} more)"


def code(value: object, limit: int = WORD_LIMIT) -> Code:
    """Return a value from outside as a piece that can be shown anywhere."""
    text = str(value) if isinstance(value, str | int | float) else "(not a plain value)"
    return Code(one_line(text, limit) or "(empty)")
