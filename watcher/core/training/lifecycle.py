"""The state machine of trainings: one total function over the table of ``transitions``.

``decide`` compares the recorded status (``Snapshot``) with the status in one valid answer (``Observation``). The table
gives the transition between the two, and the transition decides whether one answer is enough:

- A transition forward is recorded from one answer.
- A transition back, or out of an end, is recorded when a second answer repeats it. A stale replica may have given the
  first answer.
- A training is gone when two views in a row do not find it, or when a view does not find it after two lists in a row
  without it.
- An end in a list is recorded when a view or the next list repeats it. If neither does in time, ``settle`` records it
  as unconfirmed.

Each recorded transition makes exactly one event. A baseline makes none.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from watcher.core.durations.current_run import Bounds, CurrentRun
from watcher.core.event import Kind
from watcher.core.training.change_event import change_event
from watcher.core.training.comparison import StuckFacts
from watcher.core.training.decision import Decision, DecisionContext, DecisionReason
from watcher.core.training.model import (
    Observation,
    Shown,
    Snapshot,
    Source,
    UnconfirmedStatus,
)
from watcher.core.training.run import ended_run, run_after, run_found, start_of
from watcher.core.training.stuck import after_gap, after_limits
from watcher.core.training.transitions import NEEDS_CONFIRMATION, Transition, transition_between

GONE_AFTER: Final = 2
"""Consecutive answers without a training after which it is gone."""
CERTAINLY_OLDER: Final = timedelta(days=1)
"""A training that was created so long before a list without it existed at that time: the list was incomplete.

``createdDate`` names no zone, and clocks may differ.
"""


def decide(snapshot: Snapshot | None, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    """Return the decision about one valid answer; it never raises, for any status."""
    if snapshot is None and _is_baseline(observation, context.new_since):
        return Decision(snapshot=_baseline(observation), reason=DecisionReason.BASELINE)
    if snapshot is not None and snapshot.gone:
        return _found_again(snapshot, observation, context, now)
    known = snapshot or _unrecorded(observation, context.new_since or observation.asked_at)
    transition = transition_between(known.status, observation.status)
    if transition is Transition.SAME:
        return _unchanged(known, observation, context, now)
    if _one_answer_is_enough(transition, observation.source) or _repeats(known.pending, observation):
        return _record(known, observation, context, now)
    return _await_second_answer(known, observation, transition, context)


def is_recorded(snapshot: Snapshot, shown: Shown) -> bool:
    """Return whether an answer shows what is recorded, so that ``decide`` would change nothing but ``seen_after``."""
    if snapshot.pending is not None or snapshot.absent or snapshot.gone:
        return False
    if snapshot.status != shown.status:
        return False
    # A record that is known by its bytes is the same object; comparing the fields takes longer.
    return snapshot.record is shown.record or snapshot.record == shown.record


def settle(snapshot: Snapshot, patience: timedelta, context: DecisionContext, now: datetime) -> Decision | None:
    """Return the decision to record an unconfirmed end; ``None`` while it may still be confirmed.

    Args:
        snapshot: The recorded state, perhaps with a status that waits for confirmation.
        patience: The longest wait for the confirmation.
        context: As for ``decide``.
        now: The present time, UTC.
    """
    unconfirmed = snapshot.pending
    if unconfirmed is None or transition_between(snapshot.status, unconfirmed.status) is not Transition.END:
        return None
    if now - unconfirmed.answered_at < patience:
        return None
    return _announce(snapshot, unconfirmed, context, now, confirmed=False)


def missed(snapshot: Snapshot, last_good_at: datetime | None, context: DecisionContext, now: datetime) -> Decision:
    """Return the decision about a view that does not find the training; the second in a row makes it gone.

    Args:
        snapshot: The recorded state.
        last_good_at: Start of the last good poll, which showed the training; ``None`` where there was none.
        context: As for ``decide``.
        now: The end of the answer without the training, UTC.
    """
    if snapshot.absent == 0:
        snapshot = with_last_good_poll(snapshot, last_good_at)
    absent = replace(snapshot, absent=min(snapshot.absent + 1, GONE_AFTER))
    if absent.absent < GONE_AFTER or absent.gone or absent.status is None:
        return Decision(snapshot=absent, reason=DecisionReason.NOT_FOUND)
    return _mark_gone(absent, context, now, DecisionReason.NOT_FOUND)


def unlisted(snapshot: Snapshot, last_good_at: datetime | None) -> Decision:
    """Return the decision about a list without the training; a list alone never makes it gone.

    Args:
        snapshot: The recorded state.
        last_good_at: Start of the last good list, which showed the training; ``None`` where there was none.
    """
    if snapshot.absent == 0:
        absent = replace(with_last_good_poll(snapshot, last_good_at), absent=1)
        return Decision(snapshot=absent, reason=DecisionReason.NOT_FOUND)
    undecided = not snapshot.gone and snapshot.status is not None
    reason = DecisionReason.AWAITS_VIEW if undecided else DecisionReason.NOT_FOUND
    return Decision(snapshot=snapshot, reason=reason)


def vanished(snapshot: Snapshot, context: DecisionContext, now: datetime, *, viewed: bool) -> Decision | None:
    """Return the decision that an unlisted training is gone; ``None`` where an answer has shown it meanwhile.

    Args:
        snapshot: The recorded state.
        context: As for ``decide``.
        now: The end of the view that did not find it, or that did not find others of the same list, UTC.
        viewed: Whether a view asked for this training, rather than for others of the same list.
    """
    if snapshot.absent == 0 or snapshot.gone or snapshot.status is None:
        return None
    reason = DecisionReason.NOT_LISTED if viewed else DecisionReason.NOT_LISTED_WITH_OTHERS
    return _mark_gone(replace(snapshot, absent=GONE_AFTER), context, now, reason)


def with_last_good_poll(snapshot: Snapshot, last_good_at: datetime | None) -> Snapshot:
    """Return the snapshot with the last good poll as proof of its status; unchanged answers are not written."""
    if last_good_at is None or snapshot.pending is not None or snapshot.absent:
        return snapshot
    return snapshot.unchanged_at(last_good_at)


def _mark_gone(known: Snapshot, context: DecisionContext, now: datetime, reason: DecisionReason) -> Decision:
    late = known.seen_after < context.polling_since
    unconfirmed = UnconfirmedStatus(
        status=known.status or "",
        asked_at=known.seen_after,
        answered_at=now,
        source=Source.LIST,
        late=late,
        service_was_gone=late and context.service_was_gone,
        catch_up=context.catch_up if late else None,
    )
    event = change_event(known, unconfirmed, context, now, confirmed=True)
    gone = replace(event, kind=Kind.GONE, to_status=None, skipped=(), new=False, reason=reason.value)
    return Decision(snapshot=replace(known, gone=True, pending=None, seq=gone.seq), reason=reason, event=gone)


def _found_again(known: Snapshot, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    """Return the decision about a gone training that is back.

    The event names the recorded status. A different status then waits for confirmation.
    """
    unconfirmed = _unconfirmed(known, observation, context)
    event = change_event(known, unconfirmed, context, now, confirmed=True)
    back = replace(
        event,
        kind=Kind.BACK,
        from_status=None,
        to_status=known.status,
        skipped=(),
        reason=DecisionReason.FOUND_AGAIN.value,
    )
    snapshot = replace(known, gone=False, absent=0, seq=back.seq, record=observation.record)
    if known.status == observation.status:
        # Nobody knows how the training fared meanwhile, so that time counts for no limit.
        run = None if known.run is None else after_gap(known.run, known.seen_after, observation.asked_at)
        snapshot = replace(snapshot, pending=None, seen_after=observation.asked_at, run=run)
    else:
        snapshot = replace(snapshot, pending=unconfirmed)
    return Decision(snapshot=snapshot, reason=DecisionReason.FOUND_AGAIN, event=back)


def _is_baseline(observation: Observation, new_since: datetime | None) -> bool:
    """Return whether an unrecorded training is not new: no list lacked it, or one did although it existed."""
    created = observation.created_at
    if new_since is None or created is None:
        return new_since is None
    # A list from the future comes from a wall clock that was set back since.
    return created < min(new_since, observation.asked_at) - CERTAINLY_OLDER


def _baseline(observation: Observation) -> Snapshot:
    return Snapshot(
        ref=observation.ref,
        status=observation.status,
        seen_after=observation.asked_at,
        first_seen_at=observation.answered_at,
        record=observation.record,
        run=run_found(observation.status),
    )


def _unrecorded(observation: Observation, new_since: datetime) -> Snapshot:
    return Snapshot(ref=observation.ref, status=None, seen_after=new_since, first_seen_at=observation.answered_at)


def _unchanged(known: Snapshot, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    reason = DecisionReason.UNCHANGED if known.pending is None else DecisionReason.NOT_REPEATED
    snapshot = replace(known.unchanged_at(observation.asked_at), pending=None, absent=0, record=observation.record)
    if known.run is None:
        return Decision(snapshot=snapshot, reason=reason)
    # A wall clock that was set back during the request says nothing about how long the stage has taken.
    asked_at = min(observation.asked_at, now)
    run = after_gap(known.run, known.seen_after, min(context.polling_since, asked_at))
    run, facts = after_limits(replace(snapshot, run=run), run, context.stuck_rules, asked_at)
    decision = Decision(snapshot=replace(snapshot, run=run), reason=reason)
    return decision if facts is None else _stuck(decision.snapshot, facts, observation, context, now)


def _stuck(
    known: Snapshot, facts: StuckFacts, observation: Observation, context: DecisionContext, now: datetime
) -> Decision:
    """Return the decision about a training whose stage a fresh answer still shows after a limit."""
    unconfirmed = _unconfirmed(known, observation, context)
    event = replace(
        change_event(known, unconfirmed, context, now, confirmed=True),
        kind=Kind.STUCK,
        from_status=None,
        skipped=(),
        run=start_of(known.run),
        reason=DecisionReason.TOOK_TOO_LONG.value,
        after=observation.asked_at,
        stuck=facts,
    )
    return Decision(snapshot=replace(known, seq=event.seq), reason=DecisionReason.TOOK_TOO_LONG, event=event)


def _one_answer_is_enough(transition: Transition, source: Source) -> bool:
    if transition in NEEDS_CONFIRMATION:
        return False
    return transition is not Transition.END or source is Source.VIEW


def _repeats(pending: UnconfirmedStatus | None, observation: Observation) -> bool:
    return pending is not None and pending.status == observation.status


def _await_second_answer(
    known: Snapshot, observation: Observation, transition: Transition, context: DecisionContext
) -> Decision:
    reason = DecisionReason.AWAITS_CONFIRMATION if transition is Transition.END else DecisionReason.AWAITS_REPEAT
    snapshot = replace(known, pending=_unconfirmed(known, observation, context), absent=0)
    return Decision(snapshot=snapshot, reason=reason)


def _unconfirmed(known: Snapshot, observation: Observation, context: DecisionContext) -> UnconfirmedStatus:
    late = known.seen_after < context.polling_since
    return UnconfirmedStatus(
        status=observation.status,
        asked_at=observation.asked_at,
        answered_at=observation.answered_at,
        source=observation.source,
        late=late,
        service_was_gone=late and context.service_was_gone,
        catch_up=context.catch_up if late else None,
    )


def _record(known: Snapshot, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    first = known.pending if _repeats(known.pending, observation) else None
    unconfirmed = first or _unconfirmed(known, observation, context)
    decision = _announce(replace(known, absent=0, record=observation.record), unconfirmed, context, now, confirmed=True)
    snapshot = decision.snapshot.unchanged_at(observation.asked_at)
    return decision if snapshot is decision.snapshot else replace(decision, snapshot=snapshot)


def _announce(
    known: Snapshot, unconfirmed: UnconfirmedStatus, context: DecisionContext, now: datetime, *, confirmed: bool
) -> Decision:
    event = change_event(known, unconfirmed, context, now, confirmed=confirmed)
    new_statuses = {unconfirmed.status} if event.kind is Kind.UNKNOWN_STATUS else frozenset[str]()
    snapshot = replace(
        known,
        status=unconfirmed.status,
        seen_after=unconfirmed.asked_at,
        changed_after=event.after,
        changed_before=event.before,
        run=_run_after(known, unconfirmed, event.bounds, context.polling_since),
        pending=None,
        seq=event.seq,
        announced_statuses=known.announced_statuses | new_statuses,
    )
    return Decision(
        snapshot=snapshot, reason=DecisionReason(event.reason), event=event, ended_run=ended_run(event, known.run)
    )


def _run_after(
    known: Snapshot, unconfirmed: UnconfirmedStatus, bounds: Bounds, polling_since: datetime
) -> CurrentRun | None:
    """Return the run in progress after a change of status, without the gaps in polling before and after its answer.

    A gap that hid the change counts for no run. The new stage needs no correction: its bounds end after that gap.
    """
    run, seen_at = known.run, unconfirmed.asked_at
    if run is not None and unconfirmed.late:
        run = after_gap(run, known.seen_after, min(polling_since, seen_at))
    run = run_after(run, known.status, unconfirmed.status, bounds)
    # Another gap may have come before the answer that confirmed it.
    return None if run is None else after_gap(run, seen_at, polling_since)
