"""The page of one service: its types with their results, and its trainings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.config import Config
from watcher.core.event import Kind
from watcher.core.health.problems import DaemonHealth
from watcher.core.messages.update import update_seconds
from watcher.core.training.absence import OverdueFacts
from watcher.core.training.comparison import UsualFacts
from watcher.core.training.model import ServiceRef
from watcher.core.training.overdue import RetrainingRules, expected_start
from watcher.core.training.retraining import RetrainingRef
from watcher.operations.errors import OperationRefusedError
from watcher.reading.overview import failure_of
from watcher.reading.services import service_part
from watcher.reading.status import StorePlace, read_status
from watcher.reading.trainings import planned, present_population, samples_of
from watcher.reports.failing_polls import unpolled
from watcher.reports.overview import OpenProblem
from watcher.reports.runs.stats import By, Tally, tallied
from watcher.reports.status import KnownTraining, StatusReport
from watcher.reports.trainings import Selection, service_names
from watcher.store.runs.latest import RunResult, TypeRef, latest_results
from watcher.store.runs.queries import Period, run_lines
from watcher.store.runs.retrainings import retraining_of
from watcher.store.views import EventHistory, HistoryFilter, Views
from watcher.web.html.language.texts import Texts
from watcher.web.html.outages import Outages
from watcher.web.html.overview_page import notified_text

RESULTS: Final = 10
TRAININGS: Final = 50
LENGTH: Final = timedelta(days=90)
UPDATES: Final = 8
"""Updates of a type that the page shows."""
_UPDATE_ENDS: Final = frozenset({Kind.UPDATE_SUCCEEDED.value, Kind.UPDATE_FAILED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSummary:
    """One type of a service in the last 90 days."""

    of: TypeRef
    results: Sequence[RunResult]
    runs: int
    rate: int | None
    """The share of completed runs in percent; ``None`` where none completed or failed."""
    usual: UsualFacts | None
    """How long the runs that the latest one resembles take, as messages say it: not only those of 90 days."""
    running: Sequence[KnownTraining]
    """Those in progress, the latest first."""
    failure: OpenProblem | None
    """Its latest run, if that failed."""
    next_start: OverdueFacts | None = None
    """When the next training, or the next update by a cycle, is expected; ``None`` where none is."""
    updates: Sequence[EventHistory] = ()
    """The latest updates of its latest version that have ended, the newest last."""

    @property
    def in_progress(self) -> KnownTraining | None:
        """The latest training in progress; ``None`` without one."""
        return self.running[0] if self.running else None


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
            "due_rule": due_rule,
            "update_seconds": lambda item: None if item.event.update is None else update_seconds(item.event.update),
            "who": lambda item: notified_text(item, texts),
            "unpolled": unpolled(self.part.trainings, self.part.polls, self.part.incidents),
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
        groups=_groups(views, part, service, RetrainingRules() if attributes is None else attributes.retraining_rules),
    )


def _groups(views: Views, part: StatusReport, service: ServiceRef, rules: RetrainingRules) -> list[TypeSummary]:
    period = Period(since=part.at - LENGTH, before=part.at)
    tallies = tallied(run_lines(views.connection, period, service), By.TYPE)
    known = {group.type or "": tally for group, tally in tallies.items()}
    trainings: dict[str, list[KnownTraining]] = {}
    for item in part.trainings:
        trainings.setdefault(item.snapshot.ref.type, []).append(item)
    # A training of long ago may be in no run that is known, and still be updated every few hours.
    busy = {kind for kind, found in trainings.items() if any(_is_running(item) or _is_updated(item) for item in found)}
    samples = samples_of(views, part.at)

    def summary(kind: str) -> TypeSummary:
        of, tally = TypeRef(service.account, service.service, kind), known.get(kind, Tally())
        state = retraining_of(views.connection, RetrainingRef(of.account, of.service, of.type))
        rate, own = tally.success_rate, trainings.get(kind, ())
        return TypeSummary(
            of=of,
            results=latest_results(views.connection, of, RESULTS),
            runs=tally.runs,
            rate=None if rate is None else round(rate * 100),
            usual=samples.usual(present_population(views, of)),
            running=[item for item in own if _is_running(item)],
            failure=failure_of(views, of),
            next_start=None if state is None else expected_start(state, rules),
            updates=_updates(views, own),
        )

    return [summary(kind) for kind in sorted({*known, *busy})]


def due_rule(facts: OverdueFacts) -> str:
    """Return the key of the text about the rule by which a start is expected."""
    if facts.by_cycle:
        return "by-cycle"
    return "by-setting" if facts.starts is None else "by-starts"


def _is_running(item: KnownTraining) -> bool:
    return item.snapshot.run is not None


def _is_updated(item: KnownTraining) -> bool:
    return bool(item.snapshot.updates and item.snapshot.updates.statuses)


def _updates(views: Views, trainings: Iterable[KnownTraining]) -> Sequence[EventHistory]:
    """Return the latest updates of the latest version of a type that has any, the newest last."""
    updated = (item.snapshot for item in trainings if _is_updated(item))
    latest = max(updated, key=lambda snapshot: snapshot.changed_before or snapshot.first_seen_at, default=None)
    if latest is None:
        return ()
    return views.history(HistoryFilter(subject=latest.ref.subject, kinds=_UPDATE_ENDS, limit=UPDATES))
