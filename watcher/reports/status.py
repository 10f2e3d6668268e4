"""What ``status`` knows: trainings, looks and deliveries, and which of it is a problem. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from watcher.core.delivery.model import State
from watcher.core.delivery.receiver_health import Standing
from watcher.core.incidents.advice import advice
from watcher.core.incidents.tracker import Incident
from watcher.core.plural import counted
from watcher.core.polling.drift import Drift
from watcher.core.polling.plan import Look
from watcher.core.polling.result import LookState
from watcher.core.routing.silence import Silence, to_json
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.reports.polls import serves, target_text, with_discovered

if TYPE_CHECKING:
    from watcher.reports.store_health import StoreHealth
    from watcher.store.unannounced import UntoldNews
    from watcher.store.views import QueueState, Told

ENDED_BADLY: Final = (State.DEAD, State.HELD)
"""What only a person can set going again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A training of the store, with what the configuration says of it."""

    snapshot: Snapshot
    name: str | None
    last_seen: datetime
    """End of the latest answer that showed it."""
    watched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A look and what the store remembers of it."""

    look: Look
    state: LookState

    @property
    def failing(self) -> bool:
        """Whether the latest try failed."""
        return self.state.failures > 0

    @property
    def untried(self) -> bool:
        """Whether it was never tried."""
        return not self.failing and self.state.good_answered_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A delivery that only a person can set going again."""

    event_id: str
    receiver: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that ``status`` shows."""

    at: datetime
    trainings: Sequence[Known]
    looks: Sequence[Looked]
    incidents: Sequence[Incident]
    """Those that are open."""
    queues: Sequence[QueueState]
    stuck: Sequence[Stuck]
    receivers: frozenset[str]
    """Those that the configuration has."""
    drifts: Sequence[Drift] = ()
    """Where AiTEMS differs from its documents; worth knowing, and no problem by itself."""
    broken: Sequence[Standing] = ()
    """Receivers that refuse for good."""
    untold: Sequence[UntoldNews] = ()
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
            *_look_problems(self.looks),
            *_incident_problems(self.incidents),
            *_queue_problems(self.queues),
            *_receiver_problems(self),
        ]


def known(snapshots: Iterable[Snapshot], looks: Sequence[Looked]) -> Iterator[Known]:
    """Join what is recorded of each training with the look that serves it."""
    by_service: dict[ServiceRef, list[Looked]] = defaultdict(list)
    for item in looks:
        by_service[item.look.service].append(item)
    for snapshot in snapshots:
        looked = _serving(snapshot.ref, by_service.get(snapshot.ref.service_ref, ()))
        yield Known(
            snapshot=snapshot,
            name=None if looked is None else looked.look.naming_of(snapshot.ref).name,
            last_seen=_last_seen(snapshot, None if looked is None else looked.state),
            watched=looked is not None,
        )


def _serving(ref: TrainingRef, looks: Iterable[Looked]) -> Looked | None:
    return next((looked for looked in looks if serves(looked.look, ref.service_ref, ref)), None)


def _last_seen(snapshot: Snapshot, state: LookState | None) -> datetime:
    # An answer that repeats the last one is noted with the look alone; it showed what the snapshot has.
    answered = None if state is None else state.good_answered_at
    if answered is None or snapshot.absent:
        return snapshot.seen_after
    return max(answered, snapshot.seen_after)


def looked_at(looks: Iterable[Look], states: Mapping[str, LookState]) -> list[Looked]:
    """Join each look with what is remembered of it."""
    return [
        Looked(look=look, state=states.get(look.key) or LookState(key=look.key))
        for look in with_discovered(looks, states)
    ]


def stuck_in(told: Iterable[Told]) -> Iterator[Stuck]:
    """Find the deliveries that ended badly."""
    for item in told:
        for handover in item.handovers:
            if handover.state in ENDED_BADLY:
                yield Stuck(
                    event_id=item.event.short_id,
                    receiver=handover.receiver,
                    state=handover.state,
                    reason=handover.reason,
                )


def _look_problems(looks: Iterable[Looked]) -> Iterator[str]:
    for looked in looks:
        if looked.failing:
            yield f"cannot see {target_text(looked.look)}: {looked.state.cause}"


def _incident_problems(incidents: Iterable[Incident]) -> Iterator[str]:
    for incident in incidents:
        yield f"open incident: {incident.kind} of {incident.subject}"


def _queue_problems(queues: Iterable[QueueState]) -> Iterator[str]:
    for queue in queues:
        if queue.state in ENDED_BADLY:
            yield f"receiver {queue.receiver}: {counted(queue.count, 'delivery is', 'deliveries are')} {queue.state}"


def _receiver_problems(survey: Survey) -> Iterator[str]:
    # Also of one that is not configured any more: it counts as long as something waits for it.
    for standing in survey.broken:
        yield f"receiver {standing.name}: refuses for good: {standing.reason}"
    for news in survey.untold:
        yield f"nobody could be told of {news.event.subject}: {news.event.kind}: {news.reason}"


def survey_json(survey: Survey) -> dict[str, object]:
    """Return the survey for programs; text from AiTEMS stays as it came."""
    return {
        "at": to_text(survey.at),
        "trainings": [_known_json(item) for item in survey.trainings],
        "looks": [looked_json(item) for item in survey.looks],
        "incidents": [_incident_json(item) for item in survey.incidents],
        "deliveries": [queue_json(item, survey.receivers) for item in survey.queues],
        "stuck": [_stuck_json(item) for item in survey.stuck],
        "drifts": [_drift_json(item) for item in survey.drifts],
        "store": None if survey.store is None else survey.store.as_json(),
        "broken": [_broken_json(item) for item in survey.broken],
        "silences": [to_json(item) for item in survey.silences],
        "untold": [_untold_json(item) for item in survey.untold],
        "problems": survey.problems,
    }


def _known_json(item: Known) -> dict[str, object]:
    snapshot = item.snapshot
    return {
        **_ref_json(snapshot.ref),
        "service_name": item.name,
        "status": snapshot.status,
        "unconfirmed_status": None if snapshot.pending is None else snapshot.pending.status,
        "after": _moment_json(snapshot.changed_after),
        "before": to_text(snapshot.changed_before or snapshot.first_seen_at),
        "last_seen_at": to_text(item.last_seen),
        "gone": snapshot.gone,
        "watched": item.watched,
    }


def _ref_json(ref: TrainingRef) -> dict[str, object]:
    return {"account": ref.account, "service": ref.service, "training_type": ref.type, "version": ref.version}


def looked_json(looked: Looked) -> dict[str, object]:
    """Return a look with why it fails, if it does."""
    look, state = looked.look, looked.state
    return {
        "account": look.service.account,
        "service": look.service.service,
        "training_type": look.training.type if look.training else None,
        "version": look.training.version if look.training else None,
        "answered_at": _moment_json(state.good_answered_at),
        "failures": state.failures,
        "failed_since": _moment_json(state.failed_since),
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
        "last_good_at": _moment_json(incident.last_good_at),
    }


def _drift_json(drift: Drift) -> dict[str, object]:
    return {"oddity": drift.oddity, "since": to_text(drift.seen_at), "look": drift.look, "sample": dict(drift.sample)}


def queue_json(queue: QueueState, receivers: frozenset[str]) -> dict[str, object]:
    """Return how many deliveries of a receiver are in one state."""
    return {
        "receiver": queue.receiver,
        "configured": queue.receiver in receivers,
        "state": queue.state.value,
        "count": queue.count,
        "oldest": to_text(queue.oldest),
    }


def _stuck_json(item: Stuck) -> dict[str, object]:
    return {
        "event_id": item.event_id,
        "receiver": item.receiver,
        "state": item.state.value,
        "reason": item.reason,
    }


def _broken_json(item: Standing) -> dict[str, object]:
    since = _moment_json(item.broken_since)
    return {"receiver": item.name, "since": since, "reason": item.reason, "answer": item.answer}


def _untold_json(item: UntoldNews) -> dict[str, object]:
    event = item.event
    return {"event_id": event.id, "kind": event.kind.value, "subject": event.subject, "reason": item.reason.value}


def _moment_json(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
