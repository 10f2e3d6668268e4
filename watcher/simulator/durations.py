"""Durations in text form: ``"500ms"``, ``"5s"``, ``"2m"``, ``"1h"``, ``"3d"``; a bare number means seconds."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final

from pydantic import BeforeValidator

_SECONDS_OF: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TEXT: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_ADVICE: Final = 'write "500ms", "5s", "2m", "1h" or "3d"'


def read_seconds(value: object) -> float:
    """Return a duration in seconds, never negative.

    Raises:
        ValueError: the value is neither a finite number of seconds nor a text such as ``"5s"``.
    """
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    raise ValueError(f"not a duration: {value!r}; {_ADVICE}")


def _from_text(text: str) -> float:
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a duration: {text!r}; {_ADVICE}")
    return float(match[1]) * _SECONDS_OF[match[2]]


def _from_number(number: float) -> float:
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"not a duration: {number!r}; {_ADVICE}")
    return float(number)


def read_signed_seconds(value: object) -> float:
    """Return a duration in seconds; a minus sign in front is allowed.

    Raises:
        ValueError: the text after the sign is not a duration.
    """
    if isinstance(value, str) and value.strip().startswith("-"):
        return -read_seconds(value.strip().removeprefix("-"))
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return -read_seconds(-value)
    return read_seconds(value)


Seconds = Annotated[float, BeforeValidator(read_seconds)]
"""A pydantic field with the values of ``read_seconds``."""

SignedSeconds = Annotated[float, BeforeValidator(read_signed_seconds)]
"""A pydantic field with the values of ``read_signed_seconds``."""
