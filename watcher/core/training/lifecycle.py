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
from watcher.core.training.decision import Background, Decision, Reason
from watcher.core.training.model import (
    Observation,
    Phase,
    Sighting,
    Snapshot,
    Source,
    Status,
    is_final,
    phase_of,
)


class Move(StrEnum):
    """What lies between the recorded word and the seen one."""

    SAME = "="
    FORWARD = ">"
    END = "!"
    BACK = "<"
    RESTART = "R"
    STRANGE = "?"
    """Into a word that the documents do not have."""
    ASTRAY = "&"
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


def _read_grid(grid: str) -> Mapping[tuple[str, str], Move]:
    header, *rows = [line.split() for line in grid.strip().splitlines()]
    return MappingProxyType(
        {(known, seen): Move(sign) for known, *signs in rows for seen, sign in zip(header, signs, strict=True)}
    )


MOVES: Final = _read_grid(_GRID)

SECOND_SIGHT: Final = frozenset({Move.BACK, Move.RESTART, Move.ASTRAY})
"""Moves that one answer alone does not prove, wherever it came from."""

CHAIN: Final = (Status.REQUESTING, Status.WAITING, Status.LEARNING)
"""The stages on the way to an end, by our reading."""


ABSENT_ENOUGH: Final = 2
"""Two whole lists in a row without a training say that it is gone; no need to count further."""


_REASONS: Final[Mapping[Move, Reason]] = MappingProxyType(
    {
        Move.FORWARD: Reason.MOVED_FORWARD,
        Move.END: Reason.ENDED,
        Move.BACK: Reason.MOVED_BACK,
        Move.RESTART: Reason.RESTARTED,
        Move.STRANGE: Reason.UNKNOWN_WORD,
        Move.ASTRAY: Reason.UNKNOWN_WORD,
    }
)


def move_between(known: str | None, seen: str) -> Move:
    """Return the table's move from the recorded word to the seen one; total over all words.

    ``None`` stands for a training that has no recorded word yet: its first word is a move onwards.
    """
    if known == seen:
        return Move.SAME
    return MOVES[_stage(known) if known is not None else OTHER, _stage(seen)]


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


def decide(snapshot: Snapshot | None, observation: Observation, background: Background, now: datetime) -> Decision:
    """Return what to remember and what to tell after one counting answer; total, never raises on any word."""
    if snapshot is None and background.new_since is None:
        return Decision(snapshot=_baseline(observation), reason=Reason.BASELINE)
    if snapshot is not None and snapshot.gone:
        return _find_again(snapshot, observation, background, now)
    known = snapshot or _unrecorded(observation, background.new_since or observation.asked_at)
    move = move_between(known.status, observation.status)
    if move is Move.SAME:
        return _unchanged(known, observation)
    if _one_answer_is_enough(move, observation.source) or _repeats(known.pending, observation):
        return _record(known, observation, background, now)
    return _await(known, observation, move, background)


def settle(snapshot: Snapshot, patience: timedelta, background: Background, now: datetime) -> Decision | None:
    """Record an end that waited longer than ``patience`` for its confirmation, as unconfirmed; else ``None``."""
    sighting = snapshot.pending
    if sighting is None or move_between(snapshot.status, sighting.status) is not Move.END:
        return None
    if now - sighting.answered_at < patience:
        return None
    return _announce(snapshot, sighting, background, now, confirmed=False)


def missed(snapshot: Snapshot, last_good_at: datetime | None, background: Background, now: datetime) -> Decision:
    """Note that a training was not found; the second time in a row it is told as gone.

    Args:
        snapshot: what is recorded.
        last_good_at: start of the look before, when it showed the training; ``None`` where there was none.
        background: as for ``decide``.
        now: the end of the answer that lacked it.
    """
    if snapshot.absent == 0:
        snapshot = catch_up(snapshot, last_good_at)
    absent = replace(snapshot, absent=min(snapshot.absent + 1, ABSENT_ENOUGH))
    if absent.absent < ABSENT_ENOUGH or absent.gone or absent.status is None:
        return Decision(snapshot=absent, reason=Reason.NOT_FOUND)
    return _lose(absent, background, now)


def catch_up(snapshot: Snapshot, last_good_at: datetime | None) -> Snapshot:
    """Give a snapshot what unchanged answers did not write: that the last good one still showed its status."""
    if last_good_at is None or snapshot.pending is not None or snapshot.absent:
        return snapshot
    return snapshot.seen(last_good_at)


def _lose(known: Snapshot, background: Background, now: datetime) -> Decision:
    late = known.seen_after < background.looking_since
    sighting = Sighting(
        status=known.status or "",
        asked_at=known.seen_after,
        answered_at=now,
        source=Source.LIST,
        late=late,
        occasion=background.occasion if late else None,
    )
    event = _event(known, sighting, background, now, confirmed=True)
    gone = replace(event, kind=Kind.GONE, to_status=None, skipped=(), new=False, reason=Reason.NOT_FOUND.value)
    return Decision(snapshot=replace(known, gone=True, pending=None, seq=gone.seq), reason=Reason.NOT_FOUND, event=gone)


def _find_again(known: Snapshot, observation: Observation, background: Background, now: datetime) -> Decision:
    """Tell that it is back, under its recorded word; another word is then a sighting that a second one confirms."""
    sighting = _sighting(known, observation, background)
    event = _event(known, sighting, background, now, confirmed=True)
    back = replace(
        event, kind=Kind.BACK, from_status=None, to_status=known.status, skipped=(), reason=Reason.FOUND_AGAIN.value
    )
    snapshot = replace(
        known,
        gone=False,
        absent=0,
        pending=None if known.status == observation.status else sighting,
        seen_after=observation.asked_at if known.status == observation.status else known.seen_after,
        seq=back.seq,
        record=observation.record,
    )
    return Decision(snapshot=snapshot, reason=Reason.FOUND_AGAIN, event=back)


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
    reason = Reason.UNCHANGED if known.pending is None else Reason.NOT_REPEATED
    snapshot = replace(known.seen(observation.asked_at), pending=None, absent=0, record=observation.record)
    return Decision(snapshot=snapshot, reason=reason)


def _one_answer_is_enough(move: Move, source: Source) -> bool:
    if move in SECOND_SIGHT:
        return False
    return move is not Move.END or source is Source.VIEW


def _repeats(pending: Sighting | None, observation: Observation) -> bool:
    return pending is not None and pending.status == observation.status


def _await(known: Snapshot, observation: Observation, move: Move, background: Background) -> Decision:
    reason = Reason.AWAITS_CONFIRMATION if move is Move.END else Reason.AWAITS_SECOND_SIGHT
    snapshot = replace(known, pending=_sighting(known, observation, background), absent=0)
    return Decision(snapshot=snapshot, reason=reason)


def _sighting(known: Snapshot, observation: Observation, background: Background) -> Sighting:
    late = known.seen_after < background.looking_since
    return Sighting(
        status=observation.status,
        asked_at=observation.asked_at,
        answered_at=observation.answered_at,
        source=observation.source,
        late=late,
        occasion=background.occasion if late else None,
    )


def _record(known: Snapshot, observation: Observation, background: Background, now: datetime) -> Decision:
    first = known.pending if _repeats(known.pending, observation) else None
    sighting = first or _sighting(known, observation, background)
    decision = _announce(replace(known, absent=0, record=observation.record), sighting, background, now, confirmed=True)
    return replace(decision, snapshot=decision.snapshot.seen(observation.asked_at))


def _announce(
    known: Snapshot, sighting: Sighting, background: Background, now: datetime, *, confirmed: bool
) -> Decision:
    event = _event(known, sighting, background, now, confirmed=confirmed)
    words = {sighting.status} if event.kind is Kind.UNKNOWN_STATUS else frozenset[str]()
    snapshot = replace(
        known,
        status=sighting.status,
        seen_after=sighting.asked_at,
        changed_after=event.after,
        changed_before=event.before,
        pending=None,
        seq=event.seq,
        words_told=known.words_told | words,
    )
    return Decision(snapshot=snapshot, reason=Reason(event.reason), event=event)


def _event(known: Snapshot, sighting: Sighting, background: Background, now: datetime, *, confirmed: bool) -> Event:
    ref, seq = known.ref, known.seq + 1
    return Event(
        id=event_id(background.epoch, ref.subject, seq),
        kind=_kind(known, sighting.status),
        subject=ref.subject,
        seq=seq,
        reason=_reason(known, sighting.status, confirmed=confirmed),
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=ref.version,
        service_name=background.service_name,
        labels=background.labels,
        from_status=known.status,
        to_status=sighting.status,
        skipped=skipped_between(known.status, sighting.status),
        late=sighting.late,
        new=known.status is None,
        confirmed=confirmed,
        # A wall clock that was set back between the two must not turn the bounds round.
        after=min(known.seen_after, sighting.answered_at),
        before=sighting.answered_at,
        recorded_at=now,
        group=sighting.occasion,
        record=known.record,
    )


def _kind(known: Snapshot, word: str) -> Kind:
    match phase_of(word):
        case Phase.SUCCEEDED:
            return Kind.SUCCEEDED
        case Phase.FAILED:
            return Kind.FAILED
        case Phase.UNKNOWN if word not in known.words_told:
            return Kind.UNKNOWN_STATUS
        case _ if known.status is None:
            return Kind.APPEARED
        case Phase.IN_PROGRESS if is_final(known.status):
            return Kind.RESTARTED
        case _:
            return Kind.PROGRESS


def _reason(known: Snapshot, word: str, *, confirmed: bool) -> Reason:
    if not confirmed:
        return Reason.ENDED_UNCONFIRMED
    if known.status == word:
        return Reason.UNCHANGED
    if known.status is None:
        return Reason.NEW_VERSION
    return _REASONS[move_between(known.status, word)]
