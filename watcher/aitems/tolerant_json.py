"""JSON with faults in single records: a mark replaces each fault, so that the rest of a list can be read."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from watcher.aitems.strict_json import MAX_DEPTH, STRING, NotStrictJsonError, describe

MAX_DIGITS: Final = 4000
"""Python itself rejects longer integers."""
SURROGATE: Final = re.compile("[\ud800-\udfff]")
CUT_DEPTH: Final = 2 * MAX_DEPTH
"""The depth at which containers are emptied where the text is nested too deep for the parser."""
RECORD_DEPTH: Final = 3
"""A record is in a list, which is in the answer's object."""
BOM: Final = b"\xef\xbb\xbf"
_MARK: Final = "\ud800"
"""The name in an object that replaces a record; no strict JSON has it."""
_ESCAPE: Final = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_TOKEN: Final = re.compile(STRING.pattern + rb"|[\[\]{}]", re.DOTALL)
_OPENING: Final = frozenset({b"[", b"{"})
_CLOSING: Final = frozenset({b"]", b"}"})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Replaces a value that strict JSON rejects."""

    reason: str


class RepeatedNames(dict[str, object]):
    """An object in which names occur twice; it holds the first value of each."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(reversed(pairs))
        counts = Counter(name for name, _ in pairs)
        self.repeated = frozenset(name for name, count in counts.items() if count > 1)


def loads(body: bytes) -> object:
    """Return the value of JSON, with a mark in place of each fault.

    Bytes that are no UTF-8, and the backslashes of wrong escapes, become lone surrogates, which ``fault_in`` finds.

    Raises:
        NotStrictJsonError: The text is no JSON, apart from its records.
    """
    text = body.removeprefix(BOM)
    try:
        return _with_readable_records(text)
    except RecursionError:
        # The parser rejects the whole text, and one record of a list may be the only one that is so deep.
        return _with_readable_records(_without_depths(text))


def _with_readable_records(body: bytes) -> object:
    try:
        return _parsed(body)
    except json.JSONDecodeError:
        marked = _with_marked_records(_with_marked_escapes(body))
    try:
        return _parsed(marked)
    except json.JSONDecodeError as error:
        raise NotStrictJsonError(describe(error, marked)) from error


def _parsed(body: bytes) -> object:
    return json.loads(
        body.decode("utf-8", "surrogateescape"),
        strict=False,
        parse_constant=lambda name: Unreadable(f"{name} is no JSON number"),
        parse_float=_float,
        parse_int=_int,
        object_pairs_hook=_object,
    )


def _with_marked_escapes(body: bytes) -> bytes:
    r"""Return the text with a lone surrogate in place of the backslash of each wrong escape, such as ``\'``."""
    return STRING.sub(lambda string: _ESCAPE.sub(_marked_escape, string[0]), body) if b"\\" in body else body


def _marked_escape(escape: re.Match[bytes]) -> bytes:
    return escape[0] if len(escape[0]) > 1 else rb"\ud800"


def _with_marked_records(body: bytes) -> bytes:
    """Return the text with a mark in place of each record that is no JSON; it is parsed record by record."""
    kept: list[bytes] = []
    depth, start, rest = 0, 0, 0
    for token in _TOKEN.finditer(body):
        mark = token[0][:1]
        if mark in _OPENING:
            depth += 1
            start = token.start() if depth == RECORD_DEPTH else start
        elif mark in _CLOSING:
            if depth == RECORD_DEPTH and (problem := _problem_of(body[start : token.end()])) is not None:
                kept += [body[rest:start], json.dumps({_MARK: f"a record is no JSON: {problem}"}).encode()]
                rest = token.end()
            depth -= 1
    return b"".join((*kept, body[rest:]))


def _problem_of(record: bytes) -> str | None:
    """Return the reason why the parser rejects a record; ``None`` where it does not."""
    try:
        _parsed(record)
    except json.JSONDecodeError as error:
        return error.msg
    return None


def _without_depths(body: bytes) -> bytes:
    """Return JSON whose containers at ``CUT_DEPTH`` are empty; those that hold them are still nested too deep."""
    kept: list[bytes] = []
    depth, start = 0, 0
    for token in _TOKEN.finditer(body):
        mark = token[0][:1]
        if mark in _OPENING:
            depth += 1
            if depth == CUT_DEPTH:
                kept.append(body[start : token.end()])
                start = len(body)
        elif mark in _CLOSING:
            if depth == CUT_DEPTH:
                start = token.start()
            depth -= 1
    return b"".join((*kept, body[start:]))


def fault_in(value: object) -> str | None:
    """Return the reason why strict JSON rejects a part of this value; ``None`` where it accepts all of it."""
    return next(_faults(value), None)


def fault_beside(document: dict[str, object], name: str) -> str | None:
    """Return the reason why strict JSON rejects a document, apart from the value of one name."""
    if isinstance(document, RepeatedNames):
        return _fault_of(document)
    return fault_in({key: value for key, value in document.items() if key != name})


def repeated_in(record: dict[str, object]) -> frozenset[str]:
    """Return the names that occur more than once in an object."""
    return record.repeated if isinstance(record, RepeatedNames) else frozenset()


def _faults(value: object) -> Iterator[str]:
    level = [value]
    for _ in range(MAX_DEPTH):
        children: list[object] = []
        for node in level:
            if (fault := _fault_of(node)) is not None:
                yield fault
            if isinstance(node, dict):
                children += [*node, *node.values()]
            elif isinstance(node, list):
                children += node
        if not children:
            return
        level = children
    yield f"nested more than {MAX_DEPTH} deep"


def _fault_of(node: object) -> str | None:
    match node:
        case Unreadable():
            return node.reason
        case RepeatedNames():
            return "a name occurs twice in one object"
        case str() if SURROGATE.search(node):
            return "a text is not UTF-8, or has a wrong escape or half of a surrogate pair"
    return None


def _float(text: str) -> object:
    number = float(text)
    return Unreadable("a number is out of range") if math.isinf(number) else number


def _int(text: str) -> object:
    return Unreadable("a number is out of range") if len(text) > MAX_DIGITS else int(text)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | Unreadable:
    found = dict(pairs)
    if isinstance(reason := found.get(_MARK), str):
        return Unreadable(reason)
    return found if len(found) == len(pairs) else RepeatedNames(pairs)
