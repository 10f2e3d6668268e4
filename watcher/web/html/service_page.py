"""The page of one service: its types with their results, and its trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.config import Config
from watcher.core.durations.usual_durations import UsualDurations
from watcher.core.health.problems import DaemonHealth
from watcher.core.training.model import ServiceRef
from watcher.operations.errors import OperationRefusedError
from watcher.reading.overview import failure_of
from watcher.reading.services import service_part
from watcher.reading.status import StorePlace, read_status
from watcher.reading.trainings import planned
from watcher.reports.overview import OpenProblem
from watcher.reports.runs.stats import By, run_rows, tallied
from watcher.reports.status import KnownTraining, StatusReport
from watcher.reports.trainings import Selection, service_names
from watcher.store.runs.latest import RunResult, TypeRef, latest_results
from watcher.store.runs.queries import Period, run_lines
from watcher.store.views import Views
from watcher.web.html.language.texts import Texts
from watcher.web.html.outages import Outages

RESULTS: Final = 10
TRAININGS: Final = 50
LENGTH: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSummary:
    """One type of a service in the last 90 days."""

    of: TypeRef
    results: Sequence[RunResult]
    runs: int
    rate: int | None
    """The share of completed runs in percent; ``None`` where none completed or failed."""
    usual: UsualDurations | None
    in_progress: KnownTraining | None
    failure: OpenProblem | None
    """Its latest run, if that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePage:
    """The data of the page."""

    service: ServiceRef
    part: StatusReport
    name: str
    labels: Mapping[str, str]
    links: Mapping[str, str]
    groups: Sequence[TypeSummary]

    def values(self, texts: Texts) -> dict[str, object]:
        """Return the values of the template."""
        answered = [item.state.good_answered_at for item in self.part.polls]
        return {
            "nav": "overview",
            "service": self.service,
            "name": self.name,
            "labels": self.labels,
            "links": list(self.links.items()),
            "polled": max((time for time in answered if time is not None), default=None),
            "outages": Outages(
                incidents=self.part.incidents,
                polls=self.part.polls,
                all_problems=self.part.problems,
                names={self.service: self.name},
                texts=texts,
            ),
            "groups": self.groups,
            "runs": any(group.results for group in self.groups),
            "trainings": self.part.trainings,
            "more": self.part.more,
        }


def read_service_page(  # noqa: PLR0913, PLR0917 - the parts of one page
    config: Config, views: Views, daemon: DaemonHealth, place: StorePlace, service: ServiceRef, now: datetime
) -> ServicePage:
    """Read the page.

    Raises:
        OperationRefusedError: there is no such service.
    """
    selection = Selection(only=service, limit=TRAININGS)
    whole = read_status(config, views, views.polls(service), daemon, selection, place=place, now=now)
    part = service_part(whole, service)
    if not part.polls and not part.trainings:
        raise OperationRefusedError(f"there is no service {service.service} in the account {service.account}")
    polls = [polled.poll for polled in part.polls] or planned(config)
    attributes = next((poll.attributes for poll in polls if poll.service == service), None)
    return ServicePage(
        service=service,
        part=part,
        name=min(service_names(polls).get(service, ()), default=service.service),
        labels={} if attributes is None else attributes.labels,
        links={} if attributes is None else attributes.links_of(service),
        groups=_groups(views, service, part.trainings, now),
    )


def _groups(
    views: Views, service: ServiceRef, trainings: Sequence[KnownTraining], now: datetime
) -> Sequence[TypeSummary]:
    period = Period(since=now - LENGTH, before=now)
    rows = run_rows(tallied(run_lines(views.connection, period, service), By.TYPE), {})
    known = {row.group.type or "": row for row in rows}
    busy = {item.snapshot.ref.type: item for item in trainings if item.snapshot.run is not None}
    groups = []
    for kind in sorted({*known, *busy}):
        row, of = known.get(kind), TypeRef(service.account, service.service, kind)
        rate = None if row is None else row.success_rate
        groups.append(
            TypeSummary(
                of=of,
                results=latest_results(views.connection, of, RESULTS),
                runs=0 if row is None else row.runs,
                rate=None if rate is None else round(rate * 100),
                usual=None if row is None else row.usual,
                in_progress=busy.get(kind),
                failure=failure_of(views, of),
            )
        )
    return groups
