"""The paths of AiTEMS' calls."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote

KEPT_SEGMENTS: Final = 1024
"""Encoded segments of paths that are kept; all versions of a service have most of theirs in common."""


def path_of(*segments: str) -> str:
    """Return the path of these segments, each percent-encoded once.

    Raises:
        ValueError: A segment is empty, ``.`` or ``..``, and would name another path.
    """
    return "".join(map(_encoded, segments))


@lru_cache(KEPT_SEGMENTS)
def _encoded(segment: str) -> str:
    if segment in {"", ".", ".."}:
        raise ValueError(f"an id is empty or a dot: {segment!r}")
    return f"/{quote(segment, safe='')}"
