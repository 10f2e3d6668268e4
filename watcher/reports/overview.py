"""The data of the overview page: open problems, trainings in progress, services with their latest results, ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from watcher.core.health.problems import ProblemCode
from watcher.core.subject import account_of
from watcher.core.training.absence import Missing, OverdueFacts
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.failing_polls import FailingPolls, failing_polls, failures_of, is_cut_off, unpolled
from watcher.store.runs.latest import RunResult, TypeRef

if TYPE_CHECKING:
    from watcher.core.delivery.receiver_state import ReceiverState
    from watcher.core.health.problems import Problem
    from watcher.core.incidents.model import Incident
    from watcher.core.routing.silence import Silence
    from watcher.reports.status import KnownTraining, StatusReport
    from watcher.store.views import EventHistory


class OpenKind(StrEnum):
    """The kinds of open problems, the gravest first."""

    FAILED = "failed"
    STUCK = "stuck"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProblem:
    """A problem of one service and type that lasts until it is repaired."""

    kind: OpenKind
    of: TypeRef
    version: str | None
    """``None`` where a training is missing."""
    status: str
    since: datetime
    failures: int = 0
    """Failed runs in a row."""
    last_good: RunResult | None = None
    found_good: str = ""
    """The last good version where no run has completed: the first poll found it completed."""
    missing: Missing | None = None
    was_seen: bool = True
    """Whether ``since`` is the last start or completion; ``False`` where polls saw none yet."""
    event: EventHistory | None = None
    """The event about it, with who was notified; ``None`` where it was not read, or is no longer in the store."""

    @property
    def overdue(self) -> OverdueFacts | None:
        """When a missing training was due, and by which rule; ``None`` where its event is not known."""
        return None if self.event is None else self.event.event.overdue

    @property
    def ref(self) -> TrainingRef | None:
        """The training; ``None`` where it is missing."""
        if self.version is None:
            return None
        return TrainingRef(self.of.account, self.of.service, self.of.type, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeResults:
    """The latest results of one type of a service, the newest last."""

    of: TypeRef
    results: Sequence[RunResult]
    in_progress: KnownTraining | None = None
    problem: OpenProblem | None = None

    @property
    def latest(self) -> RunResult | None:
        """The newest result; ``None`` without one."""
        return self.results[-1] if self.results else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """One service with its types."""

    service: ServiceRef
    name: str | None
    labels: Mapping[str, str]
    types: Sequence[TypeResults]
    untried: bool = False
    """Whether it was never polled."""

    @property
    def has_problem(self) -> bool:
        """Whether one of its types has a problem."""
        return any(item.problem is not None for item in self.types)

    @property
    def is_busy(self) -> bool:
        """Whether a training of it is in progress."""
        return any(item.in_progress is not None for item in self.types)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """One receiver and what waits for it."""

    name: str
    kind: str
    """Empty for a removed receiver, for which deliveries are left."""
    failing: ReceiverState | None
    waiting: int = 0
    dead: int = 0
    """Deliveries that an operator decides about."""
    dead_letters: int = 0
    """Those of them that can be retried together."""
    delivered: int = 0
    oldest_waiting: datetime | None = None
    last_delivered: datetime | None = None
    """When its last delivery arrived; ``None`` without one, or where it was not read."""

    @property
    def works(self) -> bool:
        """Whether it has taken messages, and nothing is known against it."""
        return bool(self.delivered) and self.failing is None and not self.dead


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything that the overview shows; without slots, as it keeps the parts that it derives from all polls."""

    status: StatusReport
    names: Mapping[ServiceRef, str]
    problems: Sequence[OpenProblem]
    services: Sequence[ServiceRow]
    """Those with a problem first, then those with a training in progress, then by name."""
    receivers: Sequence[ReceiverRow]
    ends: Sequence[RunResult]
    """The latest ends, the newest first."""
    silences: Sequence[Silence] = field(default=())
    outage_events: Mapping[str, EventHistory] = field(default_factory=dict, hash=False)
    """The latest event about each open incident, by the id of the incident."""

    @property
    def at(self) -> datetime:
        """The time of the data, UTC."""
        return self.status.at

    @property
    def outages(self) -> Sequence[Incident]:
        """The open incidents."""
        return self.status.incidents

    @property
    def failing_receivers(self) -> Sequence[ReceiverRow]:
        """The receivers that fail or have dead letters."""
        return [item for item in self.receivers if item.failing is not None or item.dead]

    @property
    def working_receivers(self) -> Sequence[ReceiverRow]:
        """The receivers that have taken messages, and neither fail nor have dead letters."""
        return [item for item in self.receivers if item.works]

    @property
    def problem_count(self) -> int:
        """The number of everything that somebody should look at."""
        return len(self.problems) + len(self.outages) + self.other_count

    @property
    def other_count(self) -> int:
        """The number of problems that are of no service: of polls, receivers and the watcher."""
        return len(self.failing_polls) + len(self.failing_receivers) + len(self.watcher_problems)

    @cached_property
    def known_services(self) -> frozenset[ServiceRef]:
        """The services that have a row."""
        return frozenset(row.service for row in self.services)

    @cached_property
    def polled_services(self) -> int:
        """The number of services that are polled."""
        return len({item.poll.service for item in self.status.polls if not item.poll.discovers})

    @cached_property
    def untried_polls(self) -> int:
        """The number of polls that were never attempted."""
        return sum(item.untried for item in self.status.polls)

    @cached_property
    def watcher_problems(self) -> Sequence[Problem]:
        """The problems of the watcher itself: every problem of ``status`` that has no row of its own."""
        own = self.status.daemon.problems
        return [problem for problem in self.status.problems if problem in own or problem.code not in _ELSEWHERE]

    @cached_property
    def failing_polls(self) -> Sequence[FailingPolls]:
        """The polls that fail and that no open incident is about, by account and cause."""
        return failing_polls(self.status.polls, self.outages)

    @cached_property
    def unpolled(self) -> Mapping[TrainingRef, datetime]:
        """The trainings in progress that cannot be polled, with the latest answer about each."""
        return unpolled(self.status.trainings, self.status.polls, self.outages)

    def next_poll_of(self, outage: Incident) -> datetime | None:
        """Return the next poll of an account that an incident is about; ``None`` for another one, or while one runs."""
        facts = self.status.daemon.facts
        if facts is None or not outage.subject.startswith("account:"):
            return None
        return facts.next_polls.get(account_of(outage.subject))

    def is_polled(self, service: ServiceRef) -> bool:
        """Return whether the known state of a service is its present one, and not that of before a start or outage."""
        own = [polled for polled in self.status.polls if polled.poll.service == service]
        cut_off = any(polled.untried or is_cut_off(polled, self.outages) for polled in own)
        return not cut_off and not self.status.first_round_pending

    def failures_of(self, outage: Incident) -> int:
        """Return the number of failed polls in a row that an open incident is about."""
        return failures_of(outage, self.status.polls)

    @cached_property
    def in_progress(self) -> Sequence[KnownTraining]:
        """The trainings in progress: those with a problem first, then the next to end."""
        stuck = {problem.ref for problem in self.problems if problem.kind is OpenKind.STUCK}
        found = [item for item in self.status.trainings if item.snapshot.run is not None]
        return sorted(found, key=lambda item: (item.snapshot.ref not in stuck, _expected(item, self.at)))


_ELSEWHERE = frozenset(
    {
        ProblemCode.INCIDENT_OPEN,
        ProblemCode.POLL_FAILING,
        ProblemCode.DELIVERY_FAILED,
        ProblemCode.RECEIVER_FAILING,
    }
)


def failed_problem(
    of: TypeRef, latest: RunResult, last_good: RunResult | None, failures: int, found_good: str = ""
) -> OpenProblem:
    """Return the problem of a type whose latest run failed.

    Args:
        of: the service and type.
        latest: its latest run.
        last_good: the latest run that completed; ``None`` where none did.
        failures: the number of failed runs since that.
        found_good: the version that the first poll found completed, where no run has completed.
    """
    return OpenProblem(
        kind=OpenKind.FAILED,
        of=of,
        version=latest.ref.version,
        status=latest.status,
        since=latest.ended.before,
        failures=failures,
        last_good=last_good,
        found_good=found_good,
    )


def stuck_problem(training: KnownTraining) -> OpenProblem | None:
    """Return the problem of a training that was reported as stuck; ``None`` for any other."""
    run, ref = training.snapshot.run, training.snapshot.ref
    if run is None or run.report is None:
        return None
    return OpenProblem(
        kind=OpenKind.STUCK,
        of=TypeRef(ref.account, ref.service, ref.type),
        version=ref.version,
        status=run.stage.status,
        since=run.report.first_at,
    )


def _expected(item: KnownTraining, at: datetime) -> datetime:
    expected = None if item.progress is None else item.progress.expected
    if expected is None or expected.times is None:
        return at + timedelta(days=365)
    return expected.times.median
