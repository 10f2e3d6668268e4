"""Durations as people write them, such as ``30s`` or ``1h30m``: the one grammar of all files and options."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

UNITS: Final = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", timedelta(milliseconds=1)),
)
HOW_TO_WRITE: Final = 'write a number and its unit, e.g. "500ms", "30s", "5m", "2h" or "3d"'

_NUMBER: Final = "[0-9]{1,7}"
_SHAPE: Final = re.compile(
    rf"(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m(?!s))?(?:({_NUMBER})s)?(?:({_NUMBER})ms)?"
)


def parse_duration(text: str) -> timedelta:
    """Read a duration: whole numbers with ``d``, ``h``, ``m``, ``s`` or ``ms``, the largest unit first.

    Raises:
        ValueError: the text is no such duration; the message says how to write one.
    """
    match = _SHAPE.fullmatch(text)
    if not match or not text:
        raise ValueError(f"not a duration; {HOW_TO_WRITE}")
    counts = (int(group or 0) for group in match.groups())
    return sum((count * unit for count, (_, unit) in zip(counts, UNITS, strict=True)), timedelta())


def format_duration(duration: timedelta) -> str:
    """Write a duration in the form that ``parse_duration`` reads; parts of a millisecond are cut off."""
    parts = []
    for name, unit in UNITS:
        count, duration = divmod(duration, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
