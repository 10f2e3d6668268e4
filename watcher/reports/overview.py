"""The data of the overview page: open problems, trainings in progress, services with their latest results, ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from watcher.core.durations.past_runs import Outcome
from watcher.core.training.absence import Missing
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.store.runs.latest import RunResult, TypeRef

if TYPE_CHECKING:
    from watcher.core.delivery.receiver_state import ReceiverState
    from watcher.core.incidents.model import Incident
    from watcher.core.routing.silence import Silence
    from watcher.reports.status import KnownTraining, StatusReport


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
    missing: Missing | None = None

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
    failing: ReceiverState | None
    waiting: int = 0
    dead: int = 0
    delivered: int = 0
    oldest_waiting: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything that the overview shows."""

    status: StatusReport
    names: Mapping[ServiceRef, str]
    problems: Sequence[OpenProblem]
    services: Sequence[ServiceRow]
    """Those with a problem first, then those with a training in progress, then by name."""
    receivers: Sequence[ReceiverRow]
    ends: Sequence[RunResult]
    """The latest ends, the newest first."""
    silences: Sequence[Silence] = field(default=())

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
    def problem_count(self) -> int:
        """The number of everything that somebody should look at."""
        watcher = len(self.watcher_problems)
        return len(self.problems) + len(self.outages) + len(self.failing_receivers) + watcher

    @property
    def watcher_problems(self) -> Sequence[str]:
        """The problems of the watcher itself; receivers, incidents and failed polls have rows of their own."""
        return [problem.text for problem in self.status.problems if problem.code.value not in _ELSEWHERE]

    @property
    def in_progress(self) -> Sequence[KnownTraining]:
        """The trainings in progress: those with a problem first, then the next to end."""
        stuck = {problem.ref for problem in self.problems if problem.kind is OpenKind.STUCK}
        found = [item for item in self.status.trainings if item.snapshot.run is not None]
        return sorted(found, key=lambda item: (item.snapshot.ref not in stuck, _expected(item, self.at)))


_ELSEWHERE = frozenset({"incident-open", "poll-failing", "delivery-failed", "receiver-failing"})


def failed_problem(of: TypeRef, results: Sequence[RunResult], failures: int) -> OpenProblem | None:
    """Return the problem of a type whose latest run failed; ``None`` where it completed.

    Args:
        of: the service and type.
        results: its latest results, the newest last; at least the last good one where there is one.
        failures: the number of failed runs since that.
    """
    latest = results[-1] if results else None
    if latest is None or latest.outcome is not Outcome.FAILED:
        return None
    good = next((item for item in reversed(results) if item.outcome is Outcome.COMPLETED), None)
    return OpenProblem(
        kind=OpenKind.FAILED,
        of=of,
        version=latest.ref.version,
        status=latest.status,
        since=latest.ended.before,
        failures=failures,
        last_good=good,
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
