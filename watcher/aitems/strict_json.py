"""JSON read strictly: what two parsers could read differently, or a store could not keep, is refused with a reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Final, NoReturn

MAX_DEPTH: Final = 32
"""AiTEMS' own answers are four levels deep."""

MAX_PARTS: Final = 100_000
"""A page of 1,000 trainings has about 20,000. In memory a part may take thirty times its bytes on the wire."""

CONTAINERS: Final = (dict, list)


class NotStrictJsonError(ValueError):
    """The bytes are no JSON, or none that has one meaning; the message says why, without quoting them."""


def loads(body: bytes) -> object:
    """Read UTF-8 JSON without NaN, infinities, repeated names, lone surrogates, deep nesting or too many parts.

    Raises:
        NotStrictJsonError: with the reason.
    """
    if not body.strip():
        raise NotStrictJsonError("the body is empty")
    if sum(map(body.count, (b",", b"{", b"["))) > MAX_PARTS:
        raise NotStrictJsonError(f"more than {MAX_PARTS} values")
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
    except UnicodeDecodeError as error:
        raise NotStrictJsonError("the body is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise NotStrictJsonError(f"no JSON: {error.msg} at character {error.pos}{_hint(body)}") from error
    except RecursionError as error:
        raise NotStrictJsonError(f"nested more than {MAX_DEPTH} deep") from error
    except NotStrictJsonError:
        raise
    except ValueError as error:
        # Python refuses integers of thousands of digits by themselves.
        raise NotStrictJsonError("a number is out of range") from error
    _check_depth(value)
    _check_text(value, body)
    return value


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
        raise NotStrictJsonError("a name stands twice in one object")
    return found


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        # Only what can be nested further is kept: a list of a thousand trainings has thousands of other values.
        level = [child for node in level for child in _children(node) if isinstance(child, CONTAINERS)]
        if not level:
            return
    raise NotStrictJsonError(f"nested more than {MAX_DEPTH} deep")


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _check_text(value: object, body: bytes) -> None:
    # Only an escape can make a lone surrogate, so that the second pass is rare.
    if rb"\ud" not in body.lower():
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotStrictJsonError("a text holds half of a surrogate pair") from error
