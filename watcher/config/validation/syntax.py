"""Turn ``tomllib``'s error for an invalid text into a problem and a remedy for its author.

No message quotes the text: the faulty line may hold a secret.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from watcher.config.validation.unfinished import OpenMark, unfinished

_POSITION: Final = re.compile(r"\(at line (\d+), column (\d+)\)$")


_STATEMENT_LINE: Final = re.compile(r"""[ \t]*(?:\[{1,2}[\w."' -]+\]{1,2}[ \t\r]*(?:\#.*)?$|[\w."'-]+[ \t]*=)""")
"""A line with a header, or with a key and ``=``: no part of a list."""


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
_IN_TEXT: Final = (
    "Unterminated string",
    'Expected "',
    "Expected \"'",
    "Illegal character '\\n'",
    "Found invalid character '\\n'",
)
"""The beginnings of tomllib's messages about a text without its end."""
_LIST: Final = ("a list that is not closed", "close it with ], with a comma between its values")
_TABLE: Final = ("a table that is not closed", "close it with }, on one line, without a last comma")
_COMMA: Final = ("a comma too many", "take it out")
_NO_VALUE: Final = ("a key without a value", 'write key = "value", or [name] for a table')

# By the beginning of tomllib's message; the first match counts.
_EXPLANATIONS: Final = (
    ("Invalid value", "a value that TOML does not have", "put text in quotes"),
    ("Expected '=' after", *_NO_VALUE),
    ("Expected newline or end", "something after the value", "write one key = value a line, and text in quotes"),
    ("Expected ']", "a table's header that is not closed", "close it with as many ] as it has ["),
    ("Illegal character '\\n'", *_TEXT),
    ("Illegal character", "a control character", "take it out"),
    ("Found invalid character '\\n'", *_TEXT),
    ("Found invalid character", "a control character", "take it out"),
    ("Unterminated string", *_TEXT),
    ("Expected", *_TEXT),
    ("Unclosed array", *_LIST),
    ("Unclosed inline table", *_TABLE),
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
    line, column = _place(message, text)
    lines = text.split("\n")
    before = "\n".join((*lines[: line - 1], lines[line - 1][: column - 1])) if column else text
    problem, remedy = _unfinished(message, text, before, line) or _explained(message)
    return SyntaxProblem(line, f"{f'column {column}' if column else 'at the end'}: {problem}", remedy)


def line_of(message: str, text: str) -> int:
    """Return the line of a message of ``tomllib`` about this text."""
    return _place(message, text)[0]


def _place(message: str, text: str) -> tuple[int, int]:
    """Return the line and the column; 0 stands for the end of the text."""
    position = _POSITION.search(message)
    return (text.count("\n", 0, -1) + 1, 0) if position is None else (int(position[1]), int(position[2]))


def _explained(message: str) -> tuple[str, str]:
    return next((problem, remedy) for start, problem, remedy in _EXPLANATIONS if message.startswith(start))


def _unfinished(message: str, text: str, before: str, line: int) -> tuple[str, str] | None:
    """Explain a fault by the text, list or table that is open before its place."""
    found = unfinished(before)
    if found.quote is not None and message.startswith(_IN_TEXT):
        return _unclosed_text(found.quote, line)
    if not message.startswith(("Invalid value", "Invalid initial", "Unclosed")):
        return None
    mark = text[len(before) : len(before) + 1]
    bracket = _unclosed(found.brackets, text, before)
    if bracket is not None:
        return _opened(_LIST if bracket.mark == "[" else _TABLE, bracket, line)
    if found.brackets:
        needless = mark == "," or (mark == "}" and message.startswith("Invalid initial"))
        return _COMMA if needless and not message.startswith("Unclosed") else None
    return _NO_VALUE if message.startswith("Invalid value") and mark in {"", "\n", "\r", "#"} else None


def _unclosed_text(quote: OpenMark, line: int) -> tuple[str, str]:
    problem, remedy = _TEXT
    return _opened((problem, remedy if len(quote.mark) == 1 else f"close it with {quote.mark}"), quote, line)


def _unclosed(brackets: list[OpenMark], text: str, before: str) -> OpenMark | None:
    """Return the bracket that the author forgot to close: the text ends, or the next statement begins inside."""
    line = before.count("\n") + 1
    if not text[len(before) :].strip():
        return brackets[-1] if brackets else None
    start = before.rfind("\n") + 1
    above = [bracket for bracket in brackets if bracket.line < line]
    if above and above[-1].mark == "[" and _STATEMENT_LINE.match(text[start:].partition("\n")[0]):
        return above[-1]
    mark = text[len(before) : len(before) + 1]
    return brackets[-1] if brackets and brackets[-1].mark == "{" and mark in {"\n", "\r", "#"} else None


def _opened(explanation: tuple[str, str], opening: OpenMark, line: int) -> tuple[str, str]:
    """Name the line of the opening mark, where it is another line."""
    problem, remedy = explanation
    return (problem if opening.line == line else f"{problem}, opened on line {opening.line}"), remedy
