"""From the result of a poll to the changes to record. It reads the cache, and writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from watcher import __version__
from watcher.core.event import Kind
from watcher.core.polling.covered import covered, marks_of, no_longer_covered
from watcher.core.polling.deviation import HIDDEN_TRAININGS, deviations_in, incomplete_list
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure, PollResult, PollState
from watcher.core.timestamps import to_text
from watcher.core.training.catch_up import OWN_GROUP
from watcher.core.training.decision import Decision, DecisionContext, DecisionReason
from watcher.core.training.lifecycle import decide, missed, settle, unlisted, vanished
from watcher.core.training.model import Observation, Shown, Snapshot, TrainingRef
from watcher.core.training.stuck_rules import LEARNED_RULES
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.last_shown import last_shown_at, with_last_proof
from watcher.pipeline.polling.poll_changes import Changes
from watcher.pipeline.polling.recorded import differing_from_recorded, is_news
from watcher.pipeline.polling.runs.in_progress import shown_in_progress
from watcher.pipeline.polling.runs.overdue import absences_in
from watcher.pipeline.polling.targets import PollContext
from watcher.pipeline.ports import Clock

BEFORE_FIRST_POLL: Final = datetime.min.replace(tzinfo=UTC)
CONFIRMATION_INTERVALS: Final = 2
"""After so many intervals without a confirmation, an end is announced as unconfirmed."""
MANY: Final = 3
"""From so many on, trainings that vanish or return together are one message."""


class Decider:
    """Decides on results.

    Every method returns the changes that a result makes to the state in the cache. A decision is made anew when it
    could not be written, so the methods change nothing but the counts of ``IncidentMonitor``, which knows a failure
    that it has counted before.
    """

    def __init__(self, cache: PollCache, incident_monitor: IncidentMonitor, clock: Clock) -> None:
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._clock = clock

    def failed(self, context: PollContext, failure: PollFailure) -> Changes:
        """Decide on a failed poll."""
        poll = context.poll
        before = self._cache.poll(poll.key)
        state = after_failure(before, failure)
        known = self._cache.training(poll.training) if poll.training is not None else None
        if known is not None and failure.cause is Cause.NOT_FOUND:
            # AiTEMS answered that the training does not exist any more, so there is no gap in polling.
            shown_at = last_shown_at(self._cache, poll, known.ref)
            decision = missed(known, shown_at, self._context(context, known.ref), failure.ended_at)
            update = self._incident_monitor.missed(poll, failure.ended_at)
            return Changes(decisions=[decision], incidents=update, state=state)
        update = self._incident_monitor.failed(poll, failure, self._clock.utc_now())
        update += self._incident_monitor.dated_failure(poll, failure)
        return Changes(incidents=update, state=state, gap_until=failure.ended_at)

    def answered(self, context: PollContext, result: PollResult) -> Changes:
        """Decide on every training of a result, and on those that it lacks."""
        poll = context.poll
        before = self._cache.poll(poll.key)
        state = _answered(result, poll, before.name)
        differing = differing_from_recorded(self._cache, poll, result.shown)
        decisions: list[Decision] = []
        in_progress = shown_in_progress(self._cache, context, result, differing)
        is_same = before.digest == state.digest and not self._anything_pending(poll)
        if in_progress or not is_same or is_news(self._cache, differing):
            decisions = [self._decide(context, item) for item in result.observed([*differing, *in_progress])]
            decisions += self._missing(poll, result, differing)
            decisions = _in_one_message(decisions, Kind.BACK, poll, result.answered_at)
        shown = (item.ref for item in result.shown)
        update = self._incident_monitor.succeeded(poll, shown, self._clock.utc_now())
        update += self._incident_monitor.dated(poll, result.server_date, result.answered_at)
        if self._lacked_some(poll, decisions):
            result = replace(result, deviations=(*result.deviations, HIDDEN_TRAININGS))
        deviations = deviations_in(result, self._cache.deviations, poll.key)
        return Changes(
            decisions=decisions,
            incidents=update,
            state=state,
            deviations=deviations,
            view_states=self._new_view_states(poll, result, before),
            ended_views=self._ended_views(poll, result),
            absences=absences_in(self._cache, poll, result, decisions, self._clock.utc_now()),
        )

    def not_shown(self, poll: Poll, result: PollResult) -> list[Snapshot]:
        """Return the recorded trainings about which a list says nothing.

        A record that cannot be read may stand for them, or they have a watch of their own and the list lacks them.
        """
        if poll.training is not None or not (result.unreadable or poll.single):
            return []
        known = {ref: item for ref, item in self._cache.known(poll).items() if not item.gone}
        absent = [ref for ref in result.absent(known) if ref in poll.single]
        return [known[ref] for ref in (*result.hidden(known), *absent)]

    def _has_view_state(self, poll: Poll, ref: TrainingRef) -> bool:
        """Say whether the latest list did not show a training, so that it is polled by views."""
        return poll.training is None and ref in self._cache.viewed(ref.service_ref)

    def _new_view_states(self, poll: Poll, result: PollResult, before: PollState) -> tuple[PollState, ...]:
        """Return the states of the trainings that this list does not show any more, from the last list that did.

        A training that a joined list does not cover any more keeps the time at which it was seen, too.
        """
        known = self._cache.service(poll.service)
        items = [*self.not_shown(poll, result), *(known[ref] for ref in no_longer_covered(before, poll, known))]
        return tuple(
            PollState(
                key=item.ref.subject,
                good_asked_at=last_shown_at(self._cache, poll, item.ref) or item.seen_after,
                good_answered_at=before.good_answered_at,
            )
            for item in items
            if not self._has_view_state(poll, item.ref)
        )

    def _ended_views(self, poll: Poll, result: PollResult) -> tuple[str, ...]:
        viewed = [ref for ref in self._cache.viewed(poll.service) if poll.training is None and poll.concerns(ref)]
        if not viewed:
            return ()
        silent = {*result.hidden(viewed), *(ref for ref in result.absent(viewed) if ref in poll.single)}
        return tuple(ref.subject for ref in viewed if ref not in silent)

    def view_failed(self, context: PollContext, ref: TrainingRef, failure: PollFailure) -> Changes:
        """Decide on the failed view of a training that its list does not show."""
        update = self._incident_monitor.view_failed(context.poll, ref, failure, self._clock.utc_now())
        state = after_failure(self._cache.poll(ref.subject), failure)
        return Changes(incidents=update, view_states=(state,))

    def _lacked_some(self, poll: Poll, decisions: Iterable[Decision]) -> bool:
        """Return whether the list before lacked trainings that existed: they are a baseline now."""
        is_first = self._cache.poll(poll.key).good_asked_at is None
        return poll.finds_new and not is_first and any(item.reason is DecisionReason.BASELINE for item in decisions)

    def viewed(
        self, context: PollContext, result: PollResult, *, confirming: bool = False, unlisted: bool = False
    ) -> Changes:
        """Decide on a view beside the schedule; with ``unlisted``, of a training that its list lacks.

        A confirming view with the recorded status may come from a replica that is behind, so it withdraws nothing.
        While the list's bytes stay the same, the list would not be read again either. The next list with other bytes
        decides, or the end of the wait for a confirmation.
        """
        viewed = [item.ref for item in result.shown if self._has_view_state(context.poll, item.ref)]
        # Only the row of a view of its own can say when an unchanged training was seen.
        differing = differing_from_recorded(self._cache, context.poll, result.shown)
        undecided = [item for item in result.shown if item in differing or item.ref not in viewed]
        decisions = [self._decide_view(context, item) for item in result.observed(undecided)]
        if confirming:
            decisions = [item for item in decisions if item.reason is not DecisionReason.NOT_REPEATED]
        deviations = incomplete_list(result, self._cache.deviations, context.poll.key) if unlisted else ()
        return Changes(
            decisions=decisions,
            deviations=deviations,
            incidents=self._incident_monitor.viewed(context.poll, viewed, self._clock.utc_now()),
            view_states=tuple(_after_view(ref, result) for ref in viewed),
        )

    def vanished(
        self, context: PollContext, refs: Iterable[TrainingRef], now: datetime, viewed: Collection[TrainingRef]
    ) -> Changes:
        """Decide that unlisted trainings are gone, as views of some or all show; several of them are one message."""
        known = [snapshot for ref in refs if (snapshot := self._cache.training(ref)) is not None]
        gone = [vanished(item, self._context(context, item.ref), now, viewed=item.ref in viewed) for item in known]
        return Changes(decisions=_in_one_message([item for item in gone if item], Kind.GONE, context.poll, now))

    def not_found(self, context: PollContext, ref: TrainingRef, failure: PollFailure) -> Changes:
        """Decide on a training that neither the list nor a view shows: AiTEMS has answered that it does not exist."""
        known = self._cache.training(ref)
        if known is None:
            return self.view_failed(context, ref, failure)
        shown_at = last_shown_at(self._cache, context.poll, ref)
        decision = missed(known, shown_at, self._context(context, ref), failure.ended_at)
        viewed = [ref] if self._has_view_state(context.poll, ref) else []
        return Changes(
            decisions=[decision],
            incidents=self._incident_monitor.viewed(context.poll, viewed, self._clock.utc_now()),
            ended_views=tuple(item.subject for item in viewed if decision.snapshot.gone),
        )

    def overdue(self, context: PollContext) -> Changes:
        """Announce the ends that were not confirmed in time as unconfirmed."""
        patience = context.poll.cadence.interval * CONFIRMATION_INTERVALS
        return Changes(decisions=self._settled(context, patience))

    def left(self, context: PollContext) -> list[Decision]:
        """Decide on the trainings of a service that is gone; its own event covers them.

        No poll will confirm an end any more, so it is announced as unconfirmed. All count as unlisted from now on.
        """
        settled = {decision.snapshot.ref: decision for decision in self._settled(context, timedelta())}
        decisions = [settled.get(ref) or item for ref, item in self._cache.known(context.poll).items()]
        return [
            replace(item, snapshot=self._unlisted(context.poll, item.snapshot).snapshot)
            if isinstance(item, Decision)
            else self._unlisted(context.poll, item)
            for item in decisions
        ]

    def _settled(self, context: PollContext, patience: timedelta) -> list[Decision]:
        poll, now = context.poll, self._clock.utc_now()
        waiting = [snapshot for snapshot in self._cache.known(poll).values() if snapshot.pending]
        settled = [settle(item, patience, self._context(context, item.ref), now) for item in waiting]
        return [decision for decision in settled if decision]

    def _anything_pending(self, poll: Poll) -> bool:
        return any(item.pending or item.absent or item.gone for item in self._cache.known(poll).values())

    def _decide(self, context: PollContext, observation: Observation) -> Decision:
        # A training is new when an earlier list of its service lacked it. A single watch has no such list.
        new_since = self._cache.poll(context.poll.key).good_asked_at if context.poll.finds_new else None
        return self._decide_view(context, observation, new_since)

    def _decide_view(
        self, context: PollContext, observation: Observation, new_since: datetime | None = None
    ) -> Decision:
        snapshot = self._cache.training(observation.ref)
        if snapshot is not None:
            snapshot = with_last_proof(self._cache, context.poll, snapshot)
        return decide(snapshot, observation, self._context(context, observation.ref, new_since), self._clock.utc_now())

    def _missing(self, poll: Poll, result: PollResult, differing: Iterable[Shown]) -> list[Decision]:
        if poll.training is not None:
            return []
        known = self._cache.known(poll)
        if len(known) == len(result.shown) and all(item.ref in known for item in differing):
            # Each of them is shown.
            return []
        # A training with a watch of its own gets a view before it counts as missing.
        return [self._unlisted(poll, known[ref]) for ref in result.absent(known) if ref not in poll.single]

    def _unlisted(self, poll: Poll, snapshot: Snapshot) -> Decision:
        return unlisted(snapshot, last_shown_at(self._cache, poll, snapshot.ref))

    def _context(self, context: PollContext, ref: TrainingRef, new_since: datetime | None = None) -> DecisionContext:
        attributes = context.poll.attributes_of(ref)
        return DecisionContext(
            epoch=self._cache.epoch,
            polling_since=self._polling_since(context, ref),
            service_was_gone=context.service_was_gone,
            new_since=new_since,
            service_name=attributes.name,
            labels=attributes.labels,
            links=attributes.links_of(context.poll.service, ref),
            stuck_rules=attributes.stuck_rules or LEARNED_RULES,
            catch_up=context.catch_up,
        )

    def _polling_since(self, context: PollContext, ref: TrainingRef) -> datetime:
        """Return the start of the present time without a gap in polling this training."""
        now = self._clock.utc_now()
        if covered(self._cache.poll(context.poll.key), ref) is False:
            # The list covers it from this answer on.
            return now
        # A start in the future comes from a wall clock that was set back since. It says nothing about a gap.
        return context.polling_since if context.polling_since <= now else BEFORE_FIRST_POLL


def _in_one_message(decisions: Sequence[Decision], kind: Kind, poll: Poll, now: datetime) -> list[Decision]:
    """Give the events of a kind a group, where there are many that belong to no catch-up."""

    def is_alone(decision: Decision) -> bool:
        return decision.event is not None and decision.event.kind is kind and decision.event.group is None

    if sum(map(is_alone, decisions)) < MANY:
        return list(decisions)
    group = f"{OWN_GROUP} {kind.value} {poll.key} {to_text(now)}"
    return [_grouped(item, group) if is_alone(item) else item for item in decisions]


def _grouped(decision: Decision, group: str) -> Decision:
    return replace(decision, event=replace(decision.event, group=group)) if decision.event else decision


def after_failure(before: PollState, failure: PollFailure) -> PollState:
    """Return the state of a poll after a failed call."""
    return replace(
        before,
        failures=before.failures + 1,
        failed_since=before.failed_since or failure.asked_at,
        cause=failure.cause,
        detail=failure.detail,
    )


def _after_view(ref: TrainingRef, result: PollResult) -> PollState:
    return PollState(key=ref.subject, good_asked_at=result.asked_at, good_answered_at=result.answered_at)


def _answered(result: PollResult, poll: Poll, name: str | None) -> PollState:
    # Another version or another plan may read the same bytes differently, so both are part of the digest.
    asked = f"{__version__} {poll.key} {poll.finds_new} {sorted(ref.subject for ref in poll.single)}"
    return PollState(
        key=poll.key,
        good_asked_at=result.asked_at,
        good_answered_at=result.answered_at,
        digest=hashlib.sha256(result.digest + asked.encode()).digest() + marks_of(poll),
        name=name,
    )
