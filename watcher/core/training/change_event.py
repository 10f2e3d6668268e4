"""The events of a training: of a change of its status, and of a fact beside it, such as an update that ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.event import Event, Kind, event_id
from watcher.core.training.decision import DecisionContext, DecisionReason
from watcher.core.training.model import Phase, Snapshot, UnconfirmedStatus, is_final, phase_of
from watcher.core.training.run import run_after, start_of
from watcher.core.training.stuck import reported_before
from watcher.core.training.transitions import Transition, skipped_between, transition_between

_REASONS: Final[Mapping[Transition, DecisionReason]] = MappingProxyType(
    {
        Transition.FORWARD: DecisionReason.MOVED_FORWARD,
        Transition.END: DecisionReason.ENDED,
        Transition.BACK: DecisionReason.MOVED_BACK,
        Transition.RESTART: DecisionReason.RESTARTED,
        Transition.UNKNOWN: DecisionReason.UNKNOWN_STATUS,
        Transition.END_TO_UNKNOWN: DecisionReason.UNKNOWN_STATUS,
    }
)


def change_event(
    known: Snapshot, unconfirmed: UnconfirmedStatus, context: DecisionContext, now: datetime, *, confirmed: bool
) -> Event:
    """Return the event of a change of status; for another event, callers replace its fields.

    Args:
        known: The recorded state.
        unconfirmed: The status, with the answer that showed it first.
        context: The facts beside both.
        now: The present time, UTC.
        confirmed: Whether a second answer has confirmed it, where one was needed.
    """
    ref, seq, catch_up = known.ref, known.seq + 1, unconfirmed.catch_up
    # A wall clock that was set back between the two must not swap the bounds.
    after, before = min(known.seen_after, unconfirmed.answered_at), unconfirmed.answered_at
    return Event(
        id=event_id(context.epoch, ref.subject, seq),
        kind=_kind(known, unconfirmed.status),
        subject=ref.subject,
        seq=seq,
        reason=_reason(known, unconfirmed.status, confirmed=confirmed),
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=ref.version,
        service_name=context.service_name,
        labels=context.labels,
        links=context.links,
        from_status=known.status,
        to_status=unconfirmed.status,
        skipped=skipped_between(known.status, unconfirmed.status),
        late=unconfirmed.late,
        service_was_gone=unconfirmed.service_was_gone,
        new=known.status is None,
        confirmed=confirmed,
        after=after,
        before=before,
        recorded_at=now,
        run=_start_of_run(known, unconfirmed.status, Bounds(after=after, before=before)),
        stuck=reported_before(known, context.stuck_rules),
        group=None if catch_up is None else catch_up.id,
        outage=None if catch_up is None else catch_up.outage,
        record=known.record,
    )


def event_without_change(  # noqa: PLR0913 - the facts of one event
    snapshot: Snapshot,
    context: DecisionContext,
    *,
    kind: Kind,
    reason: DecisionReason,
    seq: int,
    times: Bounds,
    now: datetime,
) -> Event:
    """Return an event about a training whose status stays; callers add its facts.

    Args:
        snapshot: The recorded state.
        context: The facts beside it.
        kind: The kind of the event.
        reason: Why it is recorded.
        seq: Its number among the events of the training.
        times: Between these it happened; a wall clock that was set back may have swapped them.
        now: The present time, UTC.
    """
    ref, after = snapshot.ref, min(times.after, times.before)
    return Event(
        id=event_id(context.epoch, ref.subject, seq),
        kind=kind,
        subject=ref.subject,
        seq=seq,
        reason=reason.value,
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=ref.version,
        service_name=context.service_name,
        labels=context.labels,
        links=context.links,
        from_status=None,
        to_status=None,
        after=after,
        before=times.before,
        recorded_at=now,
        record=snapshot.record,
    )


def _start_of_run(known: Snapshot, status: str, bounds: Bounds) -> RunStart | None:
    """Return the start of the run that a change of status belongs to; its end belongs to it."""
    if is_final(status):
        return start_of(known.run)
    return start_of(run_after(known.run, known.status, status, bounds))


def _kind(known: Snapshot, status: str) -> Kind:
    match phase_of(status):
        case Phase.SUCCEEDED:
            return Kind.SUCCEEDED
        case Phase.FAILED:
            return Kind.FAILED
        case Phase.UNKNOWN if status not in known.announced_statuses:
            return Kind.UNKNOWN_STATUS
        case _ if known.status is None:
            return Kind.APPEARED
        case Phase.IN_PROGRESS if is_final(known.status):
            return Kind.RESTARTED
        case _:
            return Kind.PROGRESS if known.run is None or known.run.report is None else Kind.UNSTUCK


def _reason(known: Snapshot, status: str, *, confirmed: bool) -> DecisionReason:
    if not confirmed:
        return DecisionReason.ENDED_UNCONFIRMED
    if known.status == status:
        return DecisionReason.UNCHANGED
    if known.status is None:
        return DecisionReason.NEW_VERSION
    return _REASONS[transition_between(known.status, status)]
