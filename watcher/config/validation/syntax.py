"""Turn ``tomllib``'s error for an invalid text into a problem and a remedy for its author.

No message quotes the text: the faulty line may hold a secret.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_POSITION: Final = re.compile(r"\(at line (\d+), column (\d+)\)$")


class SyntaxProblem(NamedTuple):
    """One fault of syntax, with its line."""

    line: int
    problem: str
    remedy: str


_TWICE: Final = ("this key appears twice in its table", "keep one of the two")
_CLOSED: Final = ("this table is complete above and cannot be extended", "write all of it in one place")
_STATEMENT: Final = (
    "neither a key nor a [table]",
    "write key = value; a name with other than letters, digits, - and _ needs quotes",
)
_ESCAPE: Final = ("a backslash that TOML does not know", "double it, or use 'single quotes'")
_TEXT: Final = ("text that is not closed", "close its quotes on the same line")

# By the beginning of tomllib's message; the first match counts.
_EXPLANATIONS: Final = (
    ("Invalid value", "a value that TOML does not have", "put text in quotes"),
    ("Expected '=' after", "a key without a value", 'write key = "value", or [name] for a table'),
    ("Expected newline or end", "something after the value", "write one key = value a line, and text in quotes"),
    ("Expected ']", "a table's header that is not closed", "close it with as many ] as it has ["),
    ("Illegal character '\\n'", *_TEXT),
    ("Illegal character", "a control character", "take it out"),
    ("Found invalid character", "a control character", "take it out"),
    ("Unterminated string", *_TEXT),
    ("Expected", *_TEXT),
    ("Unclosed array", "a list that is not closed", "close it with ], with a comma between its values"),
    ("Unclosed inline table", "a table that is not closed", "close it with }, on one line, without a last comma"),
    ("Unescaped", *_ESCAPE),
    ("Invalid hex", *_ESCAPE),
    ("Escaped character", *_ESCAPE),
    ("Invalid date", "a date that does not exist", "put it in quotes if it is text"),
    ("Cannot declare", "this table appears twice", "merge the two, or give one another name"),
    ("Cannot overwrite", *_TWICE),
    ("Duplicate inline", *_TWICE),
    ("Cannot mutate", *_CLOSED),
    ("Cannot redefine", *_CLOSED),
    ("Invalid statement", *_STATEMENT),
    ("Invalid initial", *_STATEMENT),
    ("", "no TOML", "see https://toml.io"),
)


def syntax_problem(message: str, text: str) -> SyntaxProblem:
    """Return the fault for a message of ``tomllib`` about this text."""
    explanation = next((problem, remedy) for start, problem, remedy in _EXPLANATIONS if message.startswith(start))
    position = _POSITION.search(message)
    if position is None:
        return SyntaxProblem(text.count("\n", 0, -1) + 1, f"at the end: {explanation[0]}", explanation[1])
    return SyntaxProblem(int(position[1]), f"column {position[2]}: {explanation[0]}", explanation[1])
