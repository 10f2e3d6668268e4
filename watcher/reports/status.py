"""The data of ``status``: trainings, polls, incidents and deliveries, and the problems among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote

from watcher.core.delivery.reason import Reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import NEEDS_OPERATOR, State
from watcher.core.duration import format_duration
from watcher.core.health.problems import (
    KNOWN_TO_DAEMON,
    NO_PROBLEM,
    DaemonHealth,
    DaemonState,
    Problem,
    ProblemCode,
    problem_of,
    worst_first,
)
from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.core.incidents.model import Incident
from watcher.core.plural import counted
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollState
from watcher.core.routing.silence import Silence
from watcher.core.training.model import Phase, ServiceRef, Snapshot, TrainingRef
from watcher.reports.polls import named, serves, target_text, with_discovered, with_views
from watcher.reports.trainings import NO_FILTER, Selection, TrainingTotals

if TYPE_CHECKING:
    from watcher.core.training.retraining import Retraining
    from watcher.reports.runs.progress import Progress
    from watcher.reports.store_health import StoreHealth
    from watcher.store.delivery.views import DeliveryView
    from watcher.store.unannounced import UnannouncedEvent
    from watcher.store.views import QueueState


class StatusCondition(StrEnum):
    """The condition of the watcher in one word; ``/readyz`` and the pages have the same."""

    OK = "ok"
    NOT_OK = "not-ok"
    STARTING = "starting"
    """Not everything was polled since the start of the daemon."""
    NOTHING_POLLED = "nothing-polled"
    """No service is watched, or none was found yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTraining:
    """A recorded training, with its name from the configuration."""

    snapshot: Snapshot
    name: str | None
    last_seen: datetime
    """The end of the latest answer that contained it."""
    watched: bool
    progress: Progress | None = None
    """Its run in progress beside earlier ones; ``None`` without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollReport:
    """A poll and its recorded state."""

    poll: Poll
    state: PollState

    @property
    def failing(self) -> bool:
        """Whether the latest attempt failed."""
        return self.state.failures > 0

    @property
    def untried(self) -> bool:
        """Whether it was never attempted."""
        return self.state.good_answered_at is None and not self.state.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDelivery:
    """A delivery that waits for an operator."""

    event_id: str
    receiver: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The data of ``status``."""

    at: datetime
    trainings: Sequence[KnownTraining]
    """The trainings that were asked for."""
    totals: TrainingTotals
    selection: Selection = NO_FILTER
    more: bool = False
    """Whether the selection takes more than ``trainings``."""
    polls: Sequence[PollReport]
    incidents: Sequence[Incident]
    """The open incidents."""
    overdue: Sequence[Retraining] = ()
    """The watched retrainings that were reported as overdue; they are no problems of the watcher."""
    queues: Sequence[QueueState]
    failed_deliveries: Sequence[FailedDelivery]
    receivers: frozenset[str]
    """The configured receivers."""
    daemon: DaemonHealth
    """The daemon of the store, as it answered."""
    reasons: Sequence[NotReadyReason] = ()
    """The reasons of ``/readyz`` that the store shows."""
    deviations: Sequence[Deviation] = ()
    """Differences of AiTEMS from its documents; they are no problems."""
    failing_receivers: Sequence[ReceiverState] = ()
    """Receivers that fail."""
    unannounced: Sequence[UnannouncedEvent] = ()
    """Events that no receiver could be notified of."""
    store: StoreHealth | None = None
    silences: Sequence[Silence] = ()
    """The active silences; they are intended, so they are no problems."""
    faulty_file: bool = False
    """Whether the file is faulty, so that the daemon may poll more than its usable part says."""

    @property
    def problems(self) -> list[Problem]:
        """Every problem, the gravest first."""
        return worst_first(
            [
                *_daemon_problems(self),
                *_not_ready_problems(self),
                *([] if self.store is None else self.store.problems),
                *_poll_problems(self.polls),
                *_incident_problems(self.incidents),
                *_queue_problems(self.queues),
                *_receiver_problems(self.failing_receivers),
            ]
        )

    @property
    def has_problem(self) -> bool:
        """Whether there is any problem."""
        return bool(self.problems)

    def as_json(self) -> dict[str, object]:
        """Return the report for programs."""
        from watcher.reports.status_json import status_json  # noqa: PLC0415 - it imports the facts of this module

        return status_json(self)

    @property
    def condition(self) -> StatusCondition:
        """The condition of the watcher: it is only OK once everything was polled, and nothing is wrong."""
        if self.problems:
            return StatusCondition.NOT_OK
        if self.is_starting:
            return StatusCondition.STARTING
        polls_any = self.faulty_file or any(not polled.poll.discovers for polled in self.polls)
        return StatusCondition.OK if polls_any else StatusCondition.NOTHING_POLLED

    @property
    def is_starting(self) -> bool:
        """Whether not everything was polled since the start; the store alone shows only what was never polled."""
        return self.first_round_pending or any(polled.untried for polled in self.polls)

    @property
    def first_round_pending(self) -> bool:
        """Whether the daemon says that it has not polled everything yet."""
        return any(reason.code is NotReady.FIRST_ROUND for reason in self.daemon.reasons)

    @property
    def services(self) -> frozenset[ServiceRef]:
        """The services that are polled."""
        return frozenset(polled.poll.service for polled in self.polls if not polled.poll.discovers)

    @property
    def summary(self) -> str:
        """The status in one line."""
        condition = self.condition
        if condition is StatusCondition.NOT_OK:
            problems = self.problems
            return f"NOT OK: {counted(len(problems), 'problem')}, the gravest: {problems[0].text}"
        if condition is StatusCondition.NOTHING_POLLED:
            return "NOTHING POLLED: no watch has a service; aitems-watcher discover lists those of an account"
        in_progress = counted(self.totals.of(Phase.IN_PROGRESS), "training")
        if condition is StatusCondition.STARTING:
            return f"STARTING: not everything was polled since the start, {in_progress} in progress"
        polling = "" if self.faulty_file else f"polling {counted(len(self.services), 'service')}, "
        return f"OK: {polling}{in_progress} in progress"


def known(
    snapshots: Iterable[Snapshot], polls: Sequence[PollReport], *, watches_all: bool = False
) -> Iterator[KnownTraining]:
    """Join each recorded training with the poll that serves it; with ``watches_all`` others are watched, too."""
    shown = tuple(snapshots)
    by_service: dict[ServiceRef, list[PollReport]] = {snapshot.ref.service_ref: [] for snapshot in shown}
    for item in polls:
        if (own := by_service.get(item.poll.service)) is not None:
            own.append(item)
    for snapshot in shown:
        polled = serving(snapshot.ref, by_service[snapshot.ref.service_ref])
        yield KnownTraining(
            snapshot=snapshot,
            name=None if polled is None else polled.poll.attributes_of(snapshot.ref).name,
            last_seen=_last_seen(snapshot, None if polled is None else polled.state),
            watched=watches_all or polled is not None,
        )


def serving(ref: TrainingRef, polls: Iterable[PollReport]) -> PollReport | None:
    """Return the poll that serves a training, if there is one: its own view before the list of its service."""
    served = [polled for polled in polls if serves(polled.poll, ref.service_ref, ref)]
    return min(served, key=lambda polled: polled.poll.training is None, default=None)


def _last_seen(snapshot: Snapshot, state: PollState | None) -> datetime:
    # An answer that repeats the one before is recorded with the poll alone: the snapshot keeps its older time.
    answered = None if state is None else state.good_answered_at
    if answered is None or snapshot.absent:
        return snapshot.seen_after
    return max(answered, snapshot.seen_after)


def poll_reports(polls: Iterable[Poll], states: Mapping[str, PollState]) -> list[PollReport]:
    """Join each poll with its recorded state."""
    return [
        PollReport(poll=poll, state=states.get(poll.key) or PollState(key=poll.key))
        for poll in with_views(named(with_discovered(polls, states), states), states)
    ]


def failed_deliveries_in(deliveries: Iterable[DeliveryView]) -> Iterator[FailedDelivery]:
    """Yield the deliveries that wait for an operator, by event."""
    for item in deliveries:
        if item.state in NEEDS_OPERATOR:
            for event in item.events:
                yield FailedDelivery(
                    event_id=event.short_id, receiver=item.receiver, state=item.state, reason=_text_of(item.reason)
                )


def _daemon_problems(report: StatusReport) -> Iterator[Problem]:
    daemon = report.daemon
    if daemon.state is DaemonState.ABSENT:
        text = f"no daemon runs on this store, so nothing is polled and nobody is notified{_last_answer(report)}"
        yield Problem(code=ProblemCode.NO_DAEMON, text=text)
    elif daemon.state is DaemonState.SILENT:
        text = f"the daemon does not answer: {daemon.detail}{_last_answer(report)}"
        yield Problem(code=ProblemCode.DAEMON_SILENT, text=text)
    yield from daemon.problems


def _last_answer(report: StatusReport) -> str:
    answers = [polled.state.good_answered_at for polled in report.polls]
    latest = max((time for time in answers if time is not None), default=None)
    if latest is None:
        return ""
    seconds = max((report.at - latest) // timedelta(seconds=1), 0)
    return f"; the latest answer of AiTEMS is {format_duration(timedelta(seconds=seconds))} old"


def _not_ready_problems(report: StatusReport) -> Iterator[Problem]:
    """Yield the reasons of ``/readyz``: the store has most of them, and only the daemon knows the others."""
    known = [reason for reason in report.daemon.reasons if reason.code in KNOWN_TO_DAEMON]
    for reason in (*known, *report.reasons):
        # Each failing receiver has a line of its own.
        if reason.code not in NO_PROBLEM and reason.code is not NotReady.RECEIVER_FAILING:
            yield problem_of(reason)


def _poll_problems(polls: Iterable[PollReport]) -> Iterator[Problem]:
    for polled in polls:
        if polled.failing:
            text = f"cannot poll {target_text(polled.poll)}: {polled.state.cause}"
            yield Problem(code=ProblemCode.POLL_FAILING, text=text)


def _incident_problems(incidents: Iterable[Incident]) -> Iterator[Problem]:
    for incident in incidents:
        text = f"open incident: {incident.kind} of {unquote(incident.subject)}"
        yield Problem(code=ProblemCode.INCIDENT_OPEN, text=text)


def _queue_problems(queues: Iterable[QueueState]) -> Iterator[Problem]:
    for queue in queues:
        if queue.state in NEEDS_OPERATOR:
            count = counted(queue.count, "delivery is", "deliveries are")
            text = f"receiver {queue.receiver}: {count} {queue.state}"
            yield Problem(code=ProblemCode.DELIVERY_FAILED, text=text)


def _text_of(reason: Reason) -> str:
    from watcher.core.messages.reasons import reason_text  # noqa: PLC0415 - loads the texts of every reason

    return reason_text(reason)


def _receiver_problems(failing_receivers: Iterable[ReceiverState]) -> Iterator[Problem]:
    # A removed receiver counts too, as long as deliveries wait for it.
    for receiver_state in failing_receivers:
        text = f"receiver {receiver_state.name} is failing: {_text_of(receiver_state.reason)}"
        yield Problem(code=ProblemCode.RECEIVER_FAILING, text=text)
