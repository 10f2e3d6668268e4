"""Find the list, the inline table or the text that is open at a place of a TOML text.

It accepts any text and never raises; ``tomllib`` checks the syntax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = re.compile(
    r"""
      (?P<newline>\n)
    | (?P<skipped>[ \t\r]+ | \#[^\n]*)
    | (?P<closed>
          \"{3} (?:[^\\]|\\.)*? \"{3,5}
        | '{3} .*? '{3,5}
        | \"(?!\"\") (?:[^\"\\\n]|\\.)* \"
        | '(?!'') [^'\n]* '
      )
    | (?P<quote>\"{3} | '{3} | ["'])
    | (?P<mark>[\[\]{}])
    | (?P<other>[^\[\]{}"'\#\n \t\r]+)
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSING: Final = {"]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class OpenMark:
    """An opening bracket or quote without its end."""

    mark: str
    line: int


@dataclass(slots=True)
class Unfinished:
    """The brackets that are open, the outermost first, and a text without its end."""

    brackets: list[OpenMark] = field(default_factory=list)
    quote: OpenMark | None = None


def unfinished(text: str) -> Unfinished:
    """Return what is open at the end of a text; give its beginning for a place within."""
    found, line, in_header, line_is_empty = Unfinished(), 1, False, True
    for piece in _PIECE.finditer(text):
        mark = piece.group()
        if piece.lastgroup == "quote":
            found.quote = OpenMark(mark, line)
            break
        if piece.lastgroup == "newline":
            in_header, line_is_empty = False, True
        elif piece.lastgroup == "mark":
            # A bracket at the beginning of a line is a header, unless a list is open.
            in_header |= line_is_empty and not found.brackets and mark == "["
            if not in_header:
                _note(found.brackets, mark, line)
        line_is_empty &= piece.lastgroup in {"newline", "skipped"}
        line += mark.count("\n")
    return found


def _note(brackets: list[OpenMark], mark: str, line: int) -> None:
    if mark not in CLOSING:
        brackets.append(OpenMark(mark, line))
    elif brackets and brackets[-1].mark == CLOSING[mark]:
        brackets.pop()
