"""What ``status`` knows: trainings, looks and deliveries, and which of it is a problem. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from watcher.core.delivery.model import State
from watcher.core.delivery.receiver_health import ReceiverState
from watcher.core.incidents.advice import advice
from watcher.core.incidents.tracker import Incident
from watcher.core.plural import counted
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollState
from watcher.core.routing.silence import Silence, to_json
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.reports.polls import serves, target_text, with_discovered

if TYPE_CHECKING:
    from watcher.reports.store_health import StoreHealth
    from watcher.store.unannounced import UnannouncedEvent
    from watcher.store.views import EventHistory, QueueState

ENDED_BADLY: Final = (State.DEAD, State.HELD)
"""What only a person can set going again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTraining:
    """A training of the store, with what the configuration says of it."""

    snapshot: Snapshot
    name: str | None
    last_seen: datetime
    """End of the latest answer that showed it."""
    watched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PollReport:
    """A look and what the store remembers of it."""

    poll: Poll
    state: PollState

    @property
    def failing(self) -> bool:
        """Whether the latest try failed."""
        return self.state.failures > 0

    @property
    def untried(self) -> bool:
        """Whether it was never tried."""
        return not self.failing and self.state.good_answered_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDelivery:
    """A delivery that only a person can set going again."""

    event_id: str
    receiver: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """Everything that ``status`` shows."""

    at: datetime
    trainings: Sequence[KnownTraining]
    polls: Sequence[PollReport]
    incidents: Sequence[Incident]
    """Those that are open."""
    queues: Sequence[QueueState]
    failed_deliveries: Sequence[FailedDelivery]
    receivers: frozenset[str]
    """Those that the configuration has."""
    deviations: Sequence[Deviation] = ()
    """Where AiTEMS differs from its documents; worth knowing, and no problem by itself."""
    failing_receivers: Sequence[ReceiverState] = ()
    """Receivers that refuse for good."""
    unannounced: Sequence[UnannouncedEvent] = ()
    """What nobody could be told."""
    store: StoreHealth | None = None
    silences: Sequence[Silence] = ()
    """Those that hold; wanted, and so no problem."""

    @property
    def problems(self) -> list[str]:
        """One line for each thing that is not well."""
        store = [] if self.store is None else self.store.problems
        return [
            *store,
            *_poll_problems(self.polls),
            *_incident_problems(self.incidents),
            *_queue_problems(self.queues),
            *_receiver_problems(self),
        ]


def known(snapshots: Iterable[Snapshot], polls: Sequence[PollReport]) -> Iterator[KnownTraining]:
    """Join what is recorded of each training with the look that serves it."""
    by_service: dict[ServiceRef, list[PollReport]] = defaultdict(list)
    for item in polls:
        by_service[item.poll.service].append(item)
    for snapshot in snapshots:
        polled = _serving(snapshot.ref, by_service.get(snapshot.ref.service_ref, ()))
        yield KnownTraining(
            snapshot=snapshot,
            name=None if polled is None else polled.poll.naming_of(snapshot.ref).name,
            last_seen=_last_seen(snapshot, None if polled is None else polled.state),
            watched=polled is not None,
        )


def _serving(ref: TrainingRef, polls: Iterable[PollReport]) -> PollReport | None:
    return next((polled for polled in polls if serves(polled.poll, ref.service_ref, ref)), None)


def _last_seen(snapshot: Snapshot, state: PollState | None) -> datetime:
    # An answer that repeats the last one is noted with the look alone; it showed what the snapshot has.
    answered = None if state is None else state.good_answered_at
    if answered is None or snapshot.absent:
        return snapshot.seen_after
    return max(answered, snapshot.seen_after)


def poll_reports(polls: Iterable[Poll], states: Mapping[str, PollState]) -> list[PollReport]:
    """Join each look with what is remembered of it."""
    return [
        PollReport(poll=poll, state=states.get(poll.key) or PollState(key=poll.key))
        for poll in with_discovered(polls, states)
    ]


def failed_deliveries_in(events: Iterable[EventHistory]) -> Iterator[FailedDelivery]:
    """Find the deliveries that ended badly."""
    for item in events:
        for delivery_outcome in item.delivery_outcomes:
            if delivery_outcome.state in ENDED_BADLY:
                yield FailedDelivery(
                    event_id=item.event.short_id,
                    receiver=delivery_outcome.receiver,
                    state=delivery_outcome.state,
                    reason=delivery_outcome.reason,
                )


def _poll_problems(polls: Iterable[PollReport]) -> Iterator[str]:
    for polled in polls:
        if polled.failing:
            yield f"cannot see {target_text(polled.poll)}: {polled.state.cause}"


def _incident_problems(incidents: Iterable[Incident]) -> Iterator[str]:
    for incident in incidents:
        yield f"open incident: {incident.kind} of {incident.subject}"


def _queue_problems(queues: Iterable[QueueState]) -> Iterator[str]:
    for queue in queues:
        if queue.state in ENDED_BADLY:
            yield f"receiver {queue.receiver}: {counted(queue.count, 'delivery is', 'deliveries are')} {queue.state}"


def _receiver_problems(report: StatusReport) -> Iterator[str]:
    # Also of one that is not configured any more: it counts as long as something waits for it.
    for receiver_state in report.failing_receivers:
        yield f"receiver {receiver_state.name}: refuses for good: {receiver_state.reason}"
    for news in report.unannounced:
        yield f"nobody could be told of {news.event.subject}: {news.event.kind}: {news.reason}"


def status_json(report: StatusReport) -> dict[str, object]:
    """Return the survey for programs; text from AiTEMS stays as it came."""
    return {
        "at": to_text(report.at),
        "trainings": [_known_json(item) for item in report.trainings],
        "polls": [poll_json(item) for item in report.polls],
        "incidents": [_incident_json(item) for item in report.incidents],
        "deliveries": [queue_json(item, report.receivers) for item in report.queues],
        "failed_deliveries": [_failed_delivery_json(item) for item in report.failed_deliveries],
        "deviations": [_deviation_json(item) for item in report.deviations],
        "store": None if report.store is None else report.store.as_json(),
        "failing_receivers": [_failing_receiver_json(item) for item in report.failing_receivers],
        "silences": [to_json(item) for item in report.silences],
        "unannounced": [_unannounced_json(item) for item in report.unannounced],
        "problems": report.problems,
    }


def _known_json(item: KnownTraining) -> dict[str, object]:
    snapshot = item.snapshot
    return {
        **_ref_json(snapshot.ref),
        "service_name": item.name,
        "status": snapshot.status,
        "unconfirmed_status": None if snapshot.pending is None else snapshot.pending.status,
        "after": _time_json(snapshot.changed_after),
        "before": to_text(snapshot.changed_before or snapshot.first_seen_at),
        "last_seen_at": to_text(item.last_seen),
        "gone": snapshot.gone,
        "watched": item.watched,
    }


def _ref_json(ref: TrainingRef) -> dict[str, object]:
    return {"account": ref.account, "service": ref.service, "training_type": ref.type, "version": ref.version}


def poll_json(polled: PollReport) -> dict[str, object]:
    """Return a look with why it fails, if it does."""
    poll, state = polled.poll, polled.state
    return {
        "account": poll.service.account,
        "service": poll.service.service,
        "training_type": poll.training.type if poll.training else None,
        "version": poll.training.version if poll.training else None,
        "answered_at": _time_json(state.good_answered_at),
        "failures": state.failures,
        "failed_since": _time_json(state.failed_since),
        "cause": None if state.cause is None else state.cause.value,
        "detail": state.detail,
        "advice": None if state.cause is None else advice(state.cause),
    }


def _incident_json(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "kind": incident.kind.value,
        "subject": incident.subject,
        "cause": incident.cause.value,
        "detail": incident.detail,
        "advice": advice(incident.cause),
        "since": to_text(incident.since),
        "opened_at": to_text(incident.opened_at),
        "last_good_at": _time_json(incident.last_good_at),
    }


def _deviation_json(deviation: Deviation) -> dict[str, object]:
    return {
        "description": deviation.description,
        "since": to_text(deviation.seen_at),
        "poll": deviation.poll,
        "sample": dict(deviation.sample),
    }


def queue_json(queue: QueueState, receivers: frozenset[str]) -> dict[str, object]:
    """Return how many deliveries of a receiver are in one state."""
    return {
        "receiver": queue.receiver,
        "configured": queue.receiver in receivers,
        "state": queue.state.value,
        "count": queue.count,
        "oldest": to_text(queue.oldest),
    }


def _failed_delivery_json(item: FailedDelivery) -> dict[str, object]:
    return {
        "event_id": item.event_id,
        "receiver": item.receiver,
        "state": item.state.value,
        "reason": item.reason,
    }


def _failing_receiver_json(item: ReceiverState) -> dict[str, object]:
    since = _time_json(item.failing_since)
    return {"receiver": item.name, "since": since, "reason": item.reason, "answer": item.answer}


def _unannounced_json(item: UnannouncedEvent) -> dict[str, object]:
    event = item.event
    return {"event_id": event.id, "kind": event.kind.value, "subject": event.subject, "reason": item.reason.value}


def _time_json(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
