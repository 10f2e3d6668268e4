"""The services a page at a time, for a fleet that the overview cannot list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watcher.reports.overview import Overview, ServiceRow
from watcher.web.html.fleet.filter import STATUSES, OverviewFilter, known_labels

PAGE: Final = 40
"""So many rows of three types are a page of 85 KB."""
MOST_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class ServicesPage:
    """Some of the services that a filter takes."""

    rows: Sequence[ServiceRow]
    number: int
    """The number of the page, from 1."""
    count: int
    """The number of all services that the filter takes."""

    def values(self, page: Overview, wanted: OverviewFilter, rows: Sequence[ServiceRow]) -> dict[str, object]:
        """Return the values of the template; ``rows`` are those of this page, with their results."""
        start = (self.number - 1) * PAGE
        return {
            "nav": "overview",
            "rows": rows,
            "wanted": wanted,
            "filtered": wanted.is_set,
            "known_labels": known_labels(page, wanted),
            "statuses": STATUSES,
            "count": self.count,
            "first": start + 1 if rows else 0,
            "last": start + len(rows),
            "before": self.number - 1,
            "after": self.number + 1 if start + PAGE < self.count else 0,
            "undelivered": sum(item.dead + item.waiting for item in page.receivers),
            "silenced": len(page.silences),
        }


def services_page(page: Overview, wanted: OverviewFilter, number: str) -> ServicesPage:
    """Return a page of the services that a filter takes; a number that is none, or too high, is the nearest one."""
    found = wanted.shown(page.services)
    last = max((len(found) - 1) // PAGE + 1, 1)
    shown = min(max(_number(number), 1), last)
    return ServicesPage(found[(shown - 1) * PAGE : shown * PAGE], shown, len(found))


def _number(text: str) -> int:
    # Python refuses to read a number of thousands of digits.
    return int(text[:MOST_DIGITS]) if text.isascii() and text.isdigit() else 1
