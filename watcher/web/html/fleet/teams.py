"""The counts of a large fleet by label, such as the team of each service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watcher.core.training.model import ServiceRef
from watcher.reports.overview import Overview

FROM_SERVICES: Final = 31
"""Fewer services need no counts."""
VALUES: Final = range(2, 13)
"""The number of values of a label that divides services into groups."""
MOST_LABELS: Final = 2


@dataclass(frozen=True, slots=True)
class TeamRow:
    """The services with one value of a label."""

    label: str
    """The label as a filter takes it, e.g. ``team=search``."""
    services: int
    problems: int
    in_progress: int


@dataclass(frozen=True, slots=True)
class TeamCard:
    """The services by one label."""

    name: str
    rows: Sequence[TeamRow]


def teams(page: Overview) -> list[TeamCard]:
    """Return the counts by each label with a few values; those with the most problems first."""
    if len(page.services) < FROM_SERVICES:
        return []
    values: dict[str, dict[str, set[ServiceRef]]] = {}
    for row in page.services:
        for name, value in row.labels.items():
            values.setdefault(name, {}).setdefault(value, set()).add(row.service)
    problems = Counter(item.of.service_ref for item in page.problems)
    busy = Counter(item.snapshot.ref.service_ref for item in page.status.trainings if item.snapshot.run is not None)
    cards = []
    for name, found in sorted(values.items()):
        if len(found) in VALUES:
            rows = [
                TeamRow(
                    label=f"{name}={value}",
                    services=len(own),
                    problems=sum(problems[service] for service in own),
                    in_progress=sum(busy[service] for service in own),
                )
                for value, own in sorted(found.items())
            ]
            cards.append(TeamCard(name, sorted(rows, key=lambda row: (-row.problems, row.label))))
    return cards[:MOST_LABELS]
