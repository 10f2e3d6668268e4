"""Which retrainings an answer shows as overdue, and how events change them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from watcher.core.event import Event
from watcher.core.polling.overdue_event import overdue_event
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollResult
from watcher.core.training.absence import Missing, OverdueFacts
from watcher.core.training.decision import Decision
from watcher.core.training.model import TrainingRef
from watcher.core.training.overdue import ExpectedRetraining, RetrainingRules, next_overdue, overdue_at, reported
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.result import UpdateList
from watcher.core.usability.decision import after_completion
from watcher.pipeline.polling.cache import PollCache

DATE_STEP: Final = timedelta(seconds=1)
"""The server's date has whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absences:
    """The events about retrainings that are overdue, with the states that count them."""

    retrainings: tuple[Retraining, ...] = ()
    events: tuple[Event, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.events)


NO_ABSENCES: Final = Absences()


def absences_in(
    cache: PollCache, poll: Poll, result: PollResult, decisions: Sequence[Decision], now: datetime
) -> Absences:
    """Return the retrainings that an answer shows as overdue: it was asked for after the deadline, and shows no start.

    Only the list of a whole service can show that. An answer that may hide a start shows nothing: one with a record
    that cannot be read, or with a change that is not repeated or confirmed yet.

    Args:
        cache: the state in memory.
        poll: the poll.
        result: its answer.
        decisions: the decisions about its trainings.
        now: the present, UTC.
    """
    if not poll.finds_new or poll.discovers:
        return NO_ABSENCES
    rules, time = poll.attributes.retraining_rules, surely_asked_at(result)
    retrainings: list[Retraining] = []
    events: list[Event] = []
    for known in cache.retrainings(poll.service).values():
        state, facts = known, _shown_by_list(poll, known, rules, time)
        if not facts or may_have_changed(cache, poll, result, decisions, state.ref):
            continue
        for item in facts:
            state = reported(state, item)
            events.append(overdue_event(state, item, poll.attributes, cache.epoch, asked_at=result.asked_at, now=now))
        retrainings.append(state)
    return Absences(retrainings=tuple(retrainings), events=tuple(events))


def _shown_by_list(poll: Poll, state: Retraining, rules: RetrainingRules, time: datetime) -> list[OverdueFacts]:
    """Return the absences that a list of trainings shows: where the service has a cycle, an update is a start, too."""
    if not poll.asks_updates:
        return list(overdue_at(replace(state, cycle=None), rules, time))
    facts = overdue_at(state, rules, time)
    return [item for item in facts if state.cycle is None or item.missing is not Missing.START]


def changed_retrainings(cache: PollCache, decisions: Iterable[Decision], absences: Absences) -> tuple[Retraining, ...]:
    """Return the retrainings that decisions and absences change; a training of another type begins one."""
    changed = {state.ref: state for state in absences.retrainings}
    for decision in decisions:
        snapshot = decision.snapshot
        ref = RetrainingRef.of(snapshot.ref)
        known = cache.retrainings(ref.service_ref).get(ref)
        state = changed.get(ref) or known or Retraining(ref=ref, since=snapshot.first_seen_at)
        after = state if decision.event is None else after_completion(state.after(decision.event), decision)
        if known is None or after is not state:
            changed[ref] = after
    return tuple(changed.values())


def expected_retrainings(cache: PollCache, poll: Poll) -> list[ExpectedRetraining]:
    """Return the retrainings of a poll, as metrics show them."""
    rules = poll.attributes.retraining_rules
    return [
        ExpectedRetraining(ref=state.ref, reported=state.reported, deadline=next_overdue(state, rules))
        for state in _judged(cache, poll)
    ]


def _judged(cache: PollCache, poll: Poll) -> Iterable[Retraining]:
    """Return the retrainings of a poll, each with the cycle that counts."""
    if not poll.finds_new or poll.discovers:
        return ()
    states = cache.retrainings(poll.service).values()
    return states if poll.asks_updates else [replace(state, cycle=None) for state in states]


def earliest_overdue(cache: PollCache, poll: Poll, after: datetime) -> datetime | None:
    """Return the next time after this one at which a retraining may be overdue; ``None`` where there is none."""
    rules = poll.attributes.retraining_rules
    deadlines = (next_overdue(state, rules) for state in _judged(cache, poll))
    earliest = min((time for time in deadlines if time is not None and time > after), default=None)
    return None if earliest is None else earliest + DATE_STEP


def surely_asked_at(result: PollResult | UpdateList) -> datetime:
    """Return the start of the request by our clock, or the server's time where that is earlier."""
    # After a step of our clock, a retraining must not seem to be late by the length of the step.
    return result.asked_at if result.server_date is None else min(result.asked_at, result.server_date)


def may_have_changed(
    cache: PollCache, poll: Poll, result: PollResult, decisions: Sequence[Decision], ref: RetrainingRef
) -> bool:
    """Return whether an answer has a change of this type, or may have one that is not decided yet."""
    own = [decision for decision in decisions if RetrainingRef.of(decision.snapshot.ref) == ref]
    if any(item.event is not None and item.event.to_status is not None for item in own):
        return True
    snapshots = (*(item.snapshot for item in own), *cache.known(poll).values())
    if any(item.pending is not None and RetrainingRef.of(item.ref) == ref for item in snapshots):
        return True
    return any(_may_be_new(record.identity, cache, ref) for record in result.unreadable)


def _may_be_new(identity: Sequence[str | None], cache: PollCache, ref: RetrainingRef) -> bool:
    """Return whether an unreadable record may stand for a training of a type that is not known."""
    if not identity:
        return True
    kind, version = identity
    if kind not in {None, ref.type}:
        return False
    return version is None or cache.training(TrainingRef(ref.account, ref.service, ref.type, version)) is None
