"""The decision about the updates of a training: which have ended, and the events about them.

The first answer about a training is a silent baseline. An update that ends is one event at the first answer that shows
it: an answer of a replica that is behind shows an earlier status, which changes nothing. AiTEMS documents no status of
an update. We read the words of trainings; any other word that ends with ``failed`` is a failure too. The rest is kept
as data and announced by no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.event import Event, Kind
from watcher.core.training.change_event import event_without_change
from watcher.core.training.decision import DecisionContext, DecisionReason
from watcher.core.training.model import Phase, Snapshot, phase_of
from watcher.core.updates.model import EMPTY_LOG, ShownUpdate, facts_of

_KINDS: Final = MappingProxyType({Phase.FAILED: Kind.UPDATE_FAILED, Phase.SUCCEEDED: Kind.UPDATE_SUCCEEDED})
_FAILED: Final = "failed"


def update_phase(status: str) -> Phase:
    """Return the phase of an update's status; ``UNKNOWN`` for a word that we cannot read."""
    phase = phase_of(status)
    if phase is Phase.UNKNOWN and status.lower().endswith(_FAILED):
        return Phase.FAILED
    return phase


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateDecision:
    """The consequences of one list of updates."""

    snapshot: Snapshot
    """The training, with its updates and the number of its latest event."""
    events: tuple[Event, ...] = ()
    has_started: bool = False
    """Whether an update has begun since the list before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTimes:
    """The times of a list of updates, all in UTC."""

    after: datetime | None
    """The start of the request before this one; ``None`` where there was none."""
    before: datetime
    """The end of the answer."""
    now: datetime
    """The present."""


def decide_updates(
    snapshot: Snapshot, shown: Iterable[ShownUpdate], context: DecisionContext, times: UpdateTimes
) -> UpdateDecision:
    """Decide on the updates of a training that an answer shows."""
    updates = {update.version: update for update in shown}
    known = _known(snapshot, times.after)
    is_baseline = known is None
    known = known or {}
    news = {version: item.status for version, item in updates.items() if _is_news(known.get(version), item.status)}
    log = (snapshot.updates or EMPTY_LOG).after(news)
    ended = [] if is_baseline else sorted((updates[version] for version in news), key=_order)
    events = [update for update in ended if update_phase(update.status) in _KINDS]
    if log == snapshot.updates:
        return UpdateDecision(snapshot=snapshot)
    return UpdateDecision(
        snapshot=replace(snapshot, updates=log, seq=snapshot.seq + len(events)),
        events=tuple(
            _event(snapshot, update, seq, context, times) for seq, update in enumerate(events, start=snapshot.seq + 1)
        ),
        has_started=not is_baseline and not updates.keys() <= known.keys(),
    )


def _order(update: ShownUpdate) -> tuple[str, str, str]:
    return update.finished_date or "", update.created_date or "", update.version


def _known(snapshot: Snapshot, after: datetime | None) -> Mapping[str, str] | None:
    """Return the recorded updates; ``None`` where this answer is the first about a training that was there before."""
    if snapshot.updates is not None:
        return snapshot.updates.statuses
    # A version that completed since the last list has had no update before.
    completed = snapshot.changed_before
    return {} if after is not None and completed is not None and completed > after else None


def _is_news(known: str | None, status: str) -> bool:
    """Return whether a status is recorded: an ended update stays ended, as a replica may be behind."""
    if known is None:
        return True
    return status != known and (update_phase(known) not in _KINDS or _has_other_end(known, status))


def _has_other_end(known: str, status: str) -> bool:
    phase = update_phase(status)
    return phase in _KINDS and phase is not update_phase(known)


def _event(
    snapshot: Snapshot,
    update: ShownUpdate,
    seq: int,
    context: DecisionContext,
    times: UpdateTimes,
) -> Event:
    event = event_without_change(
        snapshot,
        context,
        kind=_KINDS[update_phase(update.status)],
        reason=DecisionReason.UPDATE_ENDED,
        seq=seq,
        times=Bounds(after=times.after or times.before, before=times.before),
        now=times.now,
    )
    return replace(event, late=event.after < context.polling_since, update=facts_of(update))
