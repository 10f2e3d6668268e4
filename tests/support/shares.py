"""The order of the tests of a parallel run, so that all of its processes end at about the same time.

pytest-xdist gives each process an equal part of the list, in its order, and those that are done take tests from the end
of the others' parts. So each part begins with its share of the tests that mostly wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, Protocol, TypeVar

WAITING: Final = ("acceptance", "integration")
"""Folders of tests that start processes or servers; the longest tests first."""


class Located(Protocol):
    """A test."""

    @property
    def path(self) -> Path:
        """Its file."""
        ...


Test = TypeVar("Test", bound=Located)


def shares(tests: Sequence[Test], processes: int) -> list[Test]:
    """Return the tests in another order: one part for each process, one after the other."""
    parts: list[list[Test]] = [[] for _ in range(processes)]
    for folder in WAITING:
        _deal(list(_files(tests, folder)), parts)
    rest = (test for test in tests if _folder(test) not in WAITING)
    for number, part in enumerate(parts):
        left = len(tests) - sum(map(len, parts[:number]))
        while len(part) < left // (processes - number) and (test := next(rest, None)) is not None:
            part.append(test)
    return [*(test for part in parts for test in part), *rest]


def _files(tests: Iterable[Test], folder: str) -> Iterator[list[Test]]:
    """Yield the tests of each file of a folder."""
    chosen = (test for test in tests if _folder(test) == folder)
    yield from (list(each) for _path, each in groupby(chosen, key=lambda test: test.path))


def _folder(test: Located) -> str:
    return next((name for name in WAITING if name in test.path.parts), "")


def _deal(files: Iterable[list[Test]], parts: Sequence[list[Test]]) -> None:
    """Add each file to the part that got the fewest tests so far; the largest files first."""
    counts = [0] * len(parts)
    for file in sorted(files, key=len, reverse=True):
        fewest = counts.index(min(counts))
        parts[fewest].extend(file)
        counts[fewest] += len(file)
