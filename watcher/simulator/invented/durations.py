"""Durations of scripts and of the control endpoint, in seconds; a bare number means seconds."""

from __future__ import annotations

import math
from typing import Annotated, Final

from pydantic import BeforeValidator

from watcher.core.duration import HOW_TO_WRITE, parse_duration

_MINUS: Final = "-"


def read_seconds(value: object) -> float:
    """Return the seconds of a duration, never negative.

    Raises:
        ValueError: the value is neither a finite number of seconds nor a text such as ``"5s"``.
    """
    try:
        return _seconds(value)
    except ValueError:
        raise ValueError(f"not a duration: {value!r}; {HOW_TO_WRITE}") from None


def _seconds(value: object) -> float:
    if isinstance(value, str):
        return parse_duration(value.strip()).total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    raise ValueError


def read_signed_seconds(value: object) -> float:
    """Return the seconds of a duration that may begin with a minus sign.

    Raises:
        ValueError: the text after the sign is not a duration.
    """
    if isinstance(value, str) and value.strip().startswith(_MINUS):
        return -read_seconds(value.strip().removeprefix(_MINUS))
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return -read_seconds(-value)
    return read_seconds(value)


Seconds = Annotated[float, BeforeValidator(read_seconds)]
"""A pydantic field that accepts the values of ``read_seconds``."""

SignedSeconds = Annotated[float, BeforeValidator(read_signed_seconds)]
"""A pydantic field that accepts the values of ``read_signed_seconds``."""
