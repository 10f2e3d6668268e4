"""The life of a training: one table, one total function.

Theory of operation. ``decide`` compares what is recorded (``Snapshot``) with what one counting answer showed
(``Observation``). The table names the move between the two words; the move alone says whether one answer is
enough. A move onwards is recorded at first sight. A move back (or out of an end) is recorded when a second answer
repeats it, since a replica may have answered an old state. An end that a list shows is recorded when a view or the
next list repeats it; if neither comes in time, ``settle`` records it as unconfirmed. Whatever is recorded makes
exactly one event, except a baseline, which makes none.

AiTEMS publishes the nine words but no state machine: the order is our reading, and no move is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind, event_id
from watcher.core.training.decision import Decision, DecisionContext, DecisionReason
from watcher.core.training.model import (
    Observation,
    Phase,
    Snapshot,
    Source,
    Status,
    UnconfirmedStatus,
    is_final,
    phase_of,
)


class Transition(StrEnum):
    """What lies between the recorded word and the seen one."""

    SAME = "="
    FORWARD = ">"
    END = "!"
    BACK = "<"
    RESTART = "R"
    STRANGE = "?"
    """Into a word that the documents do not have."""
    UNORDERED = "&"
    """Out of an end into a word that the documents do not have."""


OTHER: Final = "other"
"""Stands in the table for any word that the documents do not have."""

STAGES: Final = (*(status.value for status in Status), OTHER)

_GRID: Final = """
                 ready requesting waiting learning stopping completed requestFailed refinedFailed learningFailed other
ready              =       >         >       >        >         !           !             !             !          ?
requesting         <       =         >       >        >         !           !             !             !          ?
waiting            <       <         =       >        >         !           !             !             !          ?
learning           <       <         <       =        >         !           !             !             !          ?
stopping           >       <         <       <        =         !           !             !             !          ?
completed          <       R         R       R        R         =           !             !             !          &
requestFailed      <       R         R       R        R         !           =             !             !          &
refinedFailed      <       R         R       R        R         !           !             =             !          &
learningFailed     <       R         R       R        R         !           !             !             =          &
other              >       >         >       >        >         !           !             !             !          ?
"""


def _read_grid(grid: str) -> Mapping[tuple[str, str], Transition]:
    header, *rows = [line.split() for line in grid.strip().splitlines()]
    return MappingProxyType(
        {(known, seen): Transition(sign) for known, *signs in rows for seen, sign in zip(header, signs, strict=True)}
    )


TRANSITIONS: Final = _read_grid(_GRID)

NEEDS_CONFIRMATION: Final = frozenset({Transition.BACK, Transition.RESTART, Transition.UNORDERED})
"""Moves that one answer alone does not prove, wherever it came from."""

CHAIN: Final = (Status.REQUESTING, Status.WAITING, Status.LEARNING)
"""The stages on the way to an end, by our reading."""


ABSENT_ENOUGH: Final = 2
"""Two whole lists in a row without a training say that it is gone; no need to count further."""


_REASONS: Final[Mapping[Transition, DecisionReason]] = MappingProxyType(
    {
        Transition.FORWARD: DecisionReason.MOVED_FORWARD,
        Transition.END: DecisionReason.ENDED,
        Transition.BACK: DecisionReason.MOVED_BACK,
        Transition.RESTART: DecisionReason.RESTARTED,
        Transition.STRANGE: DecisionReason.UNKNOWN_STATUS,
        Transition.UNORDERED: DecisionReason.UNKNOWN_STATUS,
    }
)


def transition_between(known: str | None, seen: str) -> Transition:
    """Return the table's move from the recorded word to the seen one; total over all words.

    ``None`` stands for a training that has no recorded word yet: its first word is a move onwards.
    """
    if known == seen:
        return Transition.SAME
    return TRANSITIONS[_stage(known) if known is not None else OTHER, _stage(seen)]


def _stage(word: str) -> str:
    return word if phase_of(word) is not Phase.UNKNOWN else OTHER


def skipped_between(known: str | None, seen: str) -> tuple[str, ...]:
    """Return the stages strictly between the two on requesting, waiting, learning, end; empty where it is unknown."""
    if known not in CHAIN:
        return ()
    start = CHAIN.index(Status(known)) + 1
    end = len(CHAIN) if is_final(seen) else _chain_index(seen)
    return tuple(stage.value for stage in CHAIN[start:end])


def _chain_index(word: str) -> int:
    return CHAIN.index(Status(word)) if word in CHAIN else 0


def decide(snapshot: Snapshot | None, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    """Return what to remember and what to tell after one counting answer; total, never raises on any word."""
    if snapshot is None and context.new_since is None:
        return Decision(snapshot=_baseline(observation), reason=DecisionReason.BASELINE)
    if snapshot is not None and snapshot.gone:
        return _find_again(snapshot, observation, context, now)
    known = snapshot or _unrecorded(observation, context.new_since or observation.asked_at)
    move = transition_between(known.status, observation.status)
    if move is Transition.SAME:
        return _unchanged(known, observation)
    if _one_answer_is_enough(move, observation.source) or _dedup(known.pending, observation):
        return _record(known, observation, context, now)
    return _await(known, observation, move, context)


def settle(snapshot: Snapshot, patience: timedelta, context: DecisionContext, now: datetime) -> Decision | None:
    """Record an end that waited longer than ``patience`` for its confirmation, as unconfirmed; else ``None``."""
    unconfirmed = snapshot.pending
    if unconfirmed is None or transition_between(snapshot.status, unconfirmed.status) is not Transition.END:
        return None
    if now - unconfirmed.answered_at < patience:
        return None
    return _announce(snapshot, unconfirmed, context, now, confirmed=False)


def missed(snapshot: Snapshot, last_good_at: datetime | None, context: DecisionContext, now: datetime) -> Decision:
    """Note that a training was not found; the second time in a row it is told as gone.

    Args:
        snapshot: what is recorded.
        last_good_at: start of the look before, when it showed the training; ``None`` where there was none.
        context: as for ``decide``.
        now: the end of the answer that lacked it.
    """
    if snapshot.absent == 0:
        snapshot = catch_up(snapshot, last_good_at)
    absent = replace(snapshot, absent=min(snapshot.absent + 1, ABSENT_ENOUGH))
    if absent.absent < ABSENT_ENOUGH or absent.gone or absent.status is None:
        return Decision(snapshot=absent, reason=DecisionReason.NOT_FOUND)
    return _lose(absent, context, now)


def catch_up(snapshot: Snapshot, last_good_at: datetime | None) -> Snapshot:
    """Give a snapshot what unchanged answers did not write: that the last good one still showed its status."""
    if last_good_at is None or snapshot.pending is not None or snapshot.absent:
        return snapshot
    return snapshot.seen(last_good_at)


def _lose(known: Snapshot, context: DecisionContext, now: datetime) -> Decision:
    late = known.seen_after < context.polling_since
    unconfirmed = UnconfirmedStatus(
        status=known.status or "",
        asked_at=known.seen_after,
        answered_at=now,
        source=Source.LIST,
        late=late,
        catch_up_id=context.catch_up_id if late else None,
    )
    event = _event(known, unconfirmed, context, now, confirmed=True)
    gone = replace(event, kind=Kind.GONE, to_status=None, skipped=(), new=False, reason=DecisionReason.NOT_FOUND.value)
    return Decision(
        snapshot=replace(known, gone=True, pending=None, seq=gone.seq), reason=DecisionReason.NOT_FOUND, event=gone
    )


def _find_again(known: Snapshot, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    """Tell that it is back, under its recorded word; another word is then a sighting that a second one confirms."""
    unconfirmed = _unconfirmed(known, observation, context)
    event = _event(known, unconfirmed, context, now, confirmed=True)
    back = replace(
        event,
        kind=Kind.BACK,
        from_status=None,
        to_status=known.status,
        skipped=(),
        reason=DecisionReason.FOUND_AGAIN.value,
    )
    snapshot = replace(
        known,
        gone=False,
        absent=0,
        pending=None if known.status == observation.status else unconfirmed,
        seen_after=observation.asked_at if known.status == observation.status else known.seen_after,
        seq=back.seq,
        record=observation.record,
    )
    return Decision(snapshot=snapshot, reason=DecisionReason.FOUND_AGAIN, event=back)


def _baseline(observation: Observation) -> Snapshot:
    return Snapshot(
        ref=observation.ref,
        status=observation.status,
        seen_after=observation.asked_at,
        first_seen_at=observation.answered_at,
        record=observation.record,
    )


def _unrecorded(observation: Observation, new_since: datetime) -> Snapshot:
    return Snapshot(ref=observation.ref, status=None, seen_after=new_since, first_seen_at=observation.answered_at)


def _unchanged(known: Snapshot, observation: Observation) -> Decision:
    reason = DecisionReason.UNCHANGED if known.pending is None else DecisionReason.NOT_REPEATED
    snapshot = replace(known.seen(observation.asked_at), pending=None, absent=0, record=observation.record)
    return Decision(snapshot=snapshot, reason=reason)


def _one_answer_is_enough(move: Transition, source: Source) -> bool:
    if move in NEEDS_CONFIRMATION:
        return False
    return move is not Transition.END or source is Source.VIEW


def _dedup(pending: UnconfirmedStatus | None, observation: Observation) -> bool:
    return pending is not None and pending.status == observation.status


def _await(known: Snapshot, observation: Observation, move: Transition, context: DecisionContext) -> Decision:
    reason = DecisionReason.AWAITS_CONFIRMATION if move is Transition.END else DecisionReason.AWAITS_REPEAT
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
        catch_up_id=context.catch_up_id if late else None,
    )


def _record(known: Snapshot, observation: Observation, context: DecisionContext, now: datetime) -> Decision:
    first = known.pending if _dedup(known.pending, observation) else None
    unconfirmed = first or _unconfirmed(known, observation, context)
    decision = _announce(replace(known, absent=0, record=observation.record), unconfirmed, context, now, confirmed=True)
    return replace(decision, snapshot=decision.snapshot.seen(observation.asked_at))


def _announce(
    known: Snapshot, unconfirmed: UnconfirmedStatus, context: DecisionContext, now: datetime, *, confirmed: bool
) -> Decision:
    event = _event(known, unconfirmed, context, now, confirmed=confirmed)
    words = {unconfirmed.status} if event.kind is Kind.UNKNOWN_STATUS else frozenset[str]()
    snapshot = replace(
        known,
        status=unconfirmed.status,
        seen_after=unconfirmed.asked_at,
        changed_after=event.after,
        changed_before=event.before,
        pending=None,
        seq=event.seq,
        announced_statuses=known.announced_statuses | words,
    )
    return Decision(snapshot=snapshot, reason=DecisionReason(event.reason), event=event)


def _event(
    known: Snapshot, unconfirmed: UnconfirmedStatus, context: DecisionContext, now: datetime, *, confirmed: bool
) -> Event:
    ref, seq = known.ref, known.seq + 1
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
        from_status=known.status,
        to_status=unconfirmed.status,
        skipped=skipped_between(known.status, unconfirmed.status),
        late=unconfirmed.late,
        new=known.status is None,
        confirmed=confirmed,
        # A wall clock that was set back between the two must not turn the bounds round.
        after=min(known.seen_after, unconfirmed.answered_at),
        before=unconfirmed.answered_at,
        recorded_at=now,
        group=unconfirmed.catch_up_id,
        record=known.record,
    )


def _kind(known: Snapshot, word: str) -> Kind:
    match phase_of(word):
        case Phase.SUCCEEDED:
            return Kind.SUCCEEDED
        case Phase.FAILED:
            return Kind.FAILED
        case Phase.UNKNOWN if word not in known.announced_statuses:
            return Kind.UNKNOWN_STATUS
        case _ if known.status is None:
            return Kind.APPEARED
        case Phase.IN_PROGRESS if is_final(known.status):
            return Kind.RESTARTED
        case _:
            return Kind.PROGRESS


def _reason(known: Snapshot, word: str, *, confirmed: bool) -> DecisionReason:
    if not confirmed:
        return DecisionReason.ENDED_UNCONFIRMED
    if known.status == word:
        return DecisionReason.UNCHANGED
    if known.status is None:
        return DecisionReason.NEW_VERSION
    return _REASONS[transition_between(known.status, word)]
