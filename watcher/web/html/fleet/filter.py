"""The filter of the overview and of the list of services: a text, a label and a status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from watcher.reports.overview import OpenKind, Overview, ServiceRow

FILTER_MAX: Final = 200
MOST_ROWS: Final = 10
"""Rows of a list before the link to the rest."""
MOST_LISTED: Final = 200
"""Rows of a list that its filter asks for."""
IN_PROGRESS: Final = "in-progress"
FINE: Final = "fine"
STATUSES: Final = (*(kind.value for kind in OpenKind), IN_PROGRESS, FINE)
"""The values of the filter by status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewFilter:
    """The filter of the overview; empty texts take everything."""

    text: str = ""
    label: str = ""
    status: str = ""
    """A kind of problems, ``in-progress`` or ``fine``."""

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.text or self.label or self.status)

    def takes(self, row: ServiceRow) -> bool:
        """Return whether a service is shown."""
        wanted = self.text.lower()
        named = any(wanted in (text or "").lower() for text in (row.name, row.service.service))
        return named and (not self.label or self.label in label_texts(row.labels.items())) and self._takes_status(row)

    def shown(self, rows: Sequence[ServiceRow]) -> Sequence[ServiceRow]:
        """Return the services that are shown."""
        return [row for row in rows if self.takes(row)] if self.is_set else rows

    @property
    def kinds(self) -> frozenset[OpenKind]:
        """The kinds of problems that are shown."""
        return frozenset(kind for kind in OpenKind if self.status not in set(OpenKind) or kind == self.status)

    @property
    def most_rows(self) -> int:
        """The number of rows of a list: all of those that were asked for, and else a few."""
        return MOST_LISTED if self.status else MOST_ROWS

    def query(self, **changes: str | int) -> str:
        """Return the query of an address with this filter and some changes."""
        wanted = {"q": self.text, "label": self.label, "status": self.status, **changes}
        return urlencode({key: value for key, value in wanted.items() if value})

    def _takes_status(self, row: ServiceRow) -> bool:
        if self.status in set(OpenKind):
            return any(item.problem is not None and item.problem.kind == self.status for item in row.types)
        if self.status == IN_PROGRESS:
            return row.is_busy
        return self.status != FINE or is_quiet(row)


def filter_in(query: QueryParams) -> OverviewFilter:
    """Return the filter of an address; an unknown status is none."""
    text, label, status = (query.get(key, "")[:FILTER_MAX] for key in ("q", "label", "status"))
    return OverviewFilter(text=text, label=label, status=status if status in STATUSES else "")


def busy_rows(rows: Iterable[ServiceRow]) -> list[ServiceRow]:
    """Return the services with a problem or a training in progress: the first rows of an overview."""
    return list(takewhile(lambda row: not is_quiet(row), rows))


def is_quiet(row: ServiceRow) -> bool:
    """Return whether a service has neither a problem nor a training in progress."""
    return not row.has_problem and not row.is_busy


def known_labels(page: Overview, wanted: OverviewFilter) -> list[str]:
    """Return the labels of all services, as the filter takes them, and the one that is wanted.

    A bookmark may name a label that no service has any more. The form must show it, and keep it when it is sent.
    """
    found = {label for row in page.services for label in row.labels.items()}
    return sorted({*label_texts(found), wanted.label} - {""})


def label_texts(labels: Iterable[tuple[str, str]]) -> Sequence[str]:
    """Return labels as texts, e.g. ``team=search``."""
    return [f"{name}={value}" for name, value in labels]
