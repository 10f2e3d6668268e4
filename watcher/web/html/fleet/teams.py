"""The counts of a large fleet by label, such as the team of each service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

from watcher.reports.overview import Overview
from watcher.web.html.fleet.filter import busy_rows

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
    services = Counter(label for row in page.services for label in row.labels.items())
    labels = {row.service: row.labels.items() for row in busy_rows(page.services)}
    problems = Counter(label for item in page.problems for label in labels.get(item.of.service_ref, ()))
    running = (item.snapshot.ref.service_ref for item in page.status.trainings if item.snapshot.run is not None)
    in_progress = Counter(label for service in running for label in labels.get(service, ()))
    cards = []
    for name, own in groupby(sorted(services), key=itemgetter(0)):
        rows = [
            TeamRow(
                label=f"{name}={label[1]}",
                services=services[label],
                problems=problems[label],
                in_progress=in_progress[label],
            )
            for label in own
        ]
        if len(rows) in VALUES:
            cards.append(TeamCard(name, sorted(rows, key=lambda row: (-row.problems, row.label))))
    return cards[:MOST_LABELS]
