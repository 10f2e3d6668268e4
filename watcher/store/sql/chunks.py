"""Parts of long lists, since a statement takes a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")

CHUNK: Final = 500
"""Parameters of one statement; both databases limit their number."""


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield parts of at most ``CHUNK`` items."""
    rest = iter(items)
    while part := list(islice(rest, CHUNK)):
        yield part
