"""Strict JSON: rejects with a reason any text that parsers read differently or that a store cannot keep."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Final, NoReturn

MAX_DEPTH: Final = 32
"""AiTEMS' own answers are four levels deep."""

MAX_VALUES: Final = 100_000
"""Values in one body of unknown content; a value in memory can take thirty times its bytes."""

STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A text of JSON. One without an end reaches to the end of the body, or each quote in it would be tried again."""

CONTAINERS: Final = (dict, list)


class NotStrictJsonError(ValueError):
    """The bytes are no JSON or have no single meaning; the text gives the reason, without quoting them."""


def loads(body: bytes, *, max_values: int = MAX_VALUES) -> object:
    """Return the value of UTF-8 JSON.

    Raises:
        NotStrictJsonError: The body has NaN, infinities, repeated names, lone surrogates, deep nesting or too many
            values, or is no JSON.
    """
    check_size(body, max_values)
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
    except UnicodeDecodeError as error:
        raise NotStrictJsonError("the body is not UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise NotStrictJsonError(describe(error, body)) from error
    except NotStrictJsonError:
        raise
    except ValueError as error:
        # Python itself rejects integers of thousands of digits.
        raise NotStrictJsonError("a number is out of range") from error
    _check_depth(value)
    _check_text(value, body)
    return value


def check_size(body: bytes, max_values: int) -> None:
    """Reject a body before it is parsed.

    Raises:
        NotStrictJsonError: It is empty, or has too many values.
    """
    if not body.strip():
        raise NotStrictJsonError("the body is empty")
    # The quick count includes the commas of texts.
    if _count_values(body) > max_values and _count_values(STRING.sub(b"", body)) > max_values:
        raise NotStrictJsonError(f"more than {max_values} values")


def _count_values(body: bytes) -> int:
    return sum(map(body.count, (b",", b"{", b"[")))


def describe(error: json.JSONDecodeError | RecursionError, body: bytes) -> str:
    """Return the reason for a failure of the parser."""
    if isinstance(error, RecursionError):
        return f"nested more than {MAX_DEPTH} deep"
    return f"no JSON: {error.msg} at character {error.pos}{_hint(body)}"


def _hint(body: bytes) -> str:
    return ", it looks like HTML or XML" if body.lstrip()[:1] == b"<" else ""


def _refuse_constant(name: str) -> NoReturn:
    raise NotStrictJsonError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotStrictJsonError("a number is out of range")
    return number


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrictJsonError("a name occurs twice in one object")
    return found


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        # Only containers are kept: a list of a thousand trainings has thousands of other values.
        level = [child for node in level for child in _children(node) if isinstance(child, CONTAINERS)]
        if not level:
            return
    raise NotStrictJsonError(f"nested more than {MAX_DEPTH} deep")


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _check_text(value: object, body: bytes) -> None:
    # Only an escape can produce a lone surrogate, so the second pass is rare.
    if rb"\ud" not in body.lower():
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotStrictJsonError("a text contains half of a surrogate pair") from error
