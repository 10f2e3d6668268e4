"""What an answer, or the lack of one, leaves behind: decisions and incidents, kept in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from watcher import __version__
from watcher.core.batch import Batch, NotSavedError
from watcher.core.event import Event
from watcher.core.polling.deviation import deviations_in
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure, PollResult, PollState
from watcher.core.training.decision import Decision, DecisionContext, DecisionReason
from watcher.core.training.lifecycle import decide, missed, settle, with_last_good_poll
from watcher.core.training.model import Observation, Snapshot, TrainingRef
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents import IncidentMonitor, IncidentUpdate
from watcher.pipeline.polling.write_queue import Saved, WriteQueue
from watcher.pipeline.ports import Clock

log = structlog.get_logger()

BEFORE_FIRST_POLL: Final = datetime.min.replace(tzinfo=UTC)
PATIENCE_INTERVALS: Final = 2
"""After so many intervals without a confirmation, an end is told as unconfirmed."""


@dataclass(slots=True)
class Target:
    """A look while the program runs."""

    poll: Poll
    polling_since: datetime
    """Since when it was answered without a gap."""
    catch_up_id: str | None
    """What its late changes are told on together: the start, or the incident that hid them."""
    polled: bool = False
    """Whether it was tried since the start."""
    retired: bool = False
    """Whether another plan has taken its place: what it still brings is dropped, and asked for anew."""
    again_at_once: bool = False
    dedup: int = 0
    """How many times in a row it was asked for again at once."""
    retry_after_seconds: float = 0.0
    views_until: float = 0.0
    """Until then, in monotonic seconds, a joined list is asked for by single views, since it was refused."""


class Recorder:
    """Decides and keeps, one answer of an account after the other."""

    def __init__(
        self, cache: PollCache, incident_monitor: IncidentMonitor, clock: Clock, on_events: Callable[[], None]
    ) -> None:
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._clock = clock
        self._on_events = on_events
        self.write_queue = WriteQueue()
        self._deciding: dict[str, asyncio.Lock] = {}

    def known(self, poll: Poll) -> Mapping[TrainingRef, Snapshot]:
        """Return the recorded trainings that a look is about."""
        if poll.training is None:
            trainings = self._cache.service(poll.service)
            return trainings if poll.whole_service else {ref: trainings[ref] for ref in poll.single if ref in trainings}
        snapshot = self._cache.training(poll.training)
        return {} if snapshot is None else {poll.training: snapshot}

    async def note_failure(self, target: Target, failure: PollFailure) -> None:
        """Keep that a look showed nothing."""
        await self._in_line(target, lambda: self._note_failure(target, failure))

    async def _note_failure(self, target: Target, failure: PollFailure) -> None:
        poll = target.poll
        async with self._lock(poll):
            if target.retired:
                return
            before = self._cache.poll(poll.key)
            _log_failure(before, failure)
            after = replace(
                before,
                failures=before.failures + 1,
                failed_since=before.failed_since or failure.asked_at,
                cause=failure.cause,
                detail=failure.detail,
            )
            known = self._cache.training(poll.training) if poll.training is not None else None
            if known is not None and failure.cause is Cause.NOT_FOUND:
                # An answer, and a counting one: there was no gap in looking.
                await self._note_missing(target, known, before, after, failure.ended_at)
                return
            update = self._incident_monitor.failed(poll, failure, self._clock.utc_now())
            if failure.cause is not Cause.CLOCK:
                update += self._incident_monitor.dated(poll, failure.server_date, failure.ended_at)
            await self._keep(poll, [], update, after)
        target.polling_since = failure.ended_at

    async def _note_missing(
        self, target: Target, known: Snapshot, before: PollState, after: PollState, now: datetime
    ) -> None:
        """A training that is watched by itself and was found before: AiTEMS answered that there is none."""
        update = self._incident_monitor.missed(target.poll, now)
        decision = missed(known, before.good_asked_at, self._context(target, known.ref), now)
        await self._keep(target.poll, [decision], update, after)

    async def take_in(self, target: Target, seen: PollResult) -> list[TrainingRef]:
        """Decide on every training of an answer and keep what came of it; return the ends that want confirming."""
        return await self._in_line(target, lambda: self._take_in(target, seen))

    async def _take_in(self, target: Target, seen: PollResult) -> list[TrainingRef]:
        poll = target.poll
        async with self._lock(poll):
            if target.retired:
                return []
            before = self._cache.poll(poll.key)
            after = _answered(before, seen, poll)
            decisions: list[Decision] = []
            concerned = [item for item in seen.observations if poll.concerns(item.ref)]
            if before.digest != after.digest or self._anything_pending(poll) or self._is_news(concerned):
                decisions = [self._decide(target, item, before.good_asked_at) for item in concerned]
                decisions += self._missing(target, seen, before)
            shown = [item.ref for item in seen.observations]
            update = self._incident_monitor.succeeded(poll, shown, self._clock.utc_now())
            update += self._incident_monitor.dated(poll, seen.server_date, seen.answered_at)
            await self._keep(poll, decisions, update, after)
            await self._record_deviation(poll, seen)
        if before.failures:
            log.info("poll.recovered", poll=poll.key, failures=before.failures, since=before.failed_since)
        return [decision.snapshot.ref for decision in decisions if decision.wants_confirmation]

    async def take_view(self, target: Target, seen: PollResult, *, confirming: bool = False) -> None:
        """Decide on a training that was asked for out of turn.

        A confirming view that shows the recorded word may be a replica's old answer: it takes nothing back, since the
        list, should its bytes stay the same, would not be read again. The next list decides, or the end of patience.
        """
        await self._in_line(target, lambda: self._take_view(target, seen, confirming=confirming))

    async def _take_view(self, target: Target, seen: PollResult, *, confirming: bool) -> None:
        async with self._lock(target.poll):
            if target.retired:
                return
            decisions = [self._decide_view(target, item) for item in seen.observations]
            if confirming:
                decisions = [decision for decision in decisions if decision.reason is not DecisionReason.NOT_REPEATED]
            await self._keep(target.poll, decisions, IncidentUpdate(), None)

    async def take_absence(self, target: Target, ref: TrainingRef, now: datetime) -> None:
        """Note that a training that is watched by itself was neither listed nor found by a view."""
        await self._in_line(target, lambda: self._take_absence(target, ref, now))

    async def _take_absence(self, target: Target, ref: TrainingRef, now: datetime) -> None:
        async with self._lock(target.poll):
            if not target.retired and (known := self._cache.training(ref)) is not None:
                decision = missed(known, None, self._context(target, ref), now)
                await self._keep(target.poll, [decision], IncidentUpdate(), None)

    async def settle(self, target: Target) -> None:
        """Tell ends that waited too long for their confirmation."""
        await self._in_line(target, lambda: self._settle(target))

    async def _settle(self, target: Target) -> None:
        poll = target.poll
        patience = poll.cadence.interval * PATIENCE_INTERVALS
        async with self._lock(poll):
            if target.retired:
                return
            waiting = [snapshot for snapshot in self.known(poll).values() if snapshot.pending]
            now = self._clock.utc_now()
            settled = [settle(item, patience, self._context(target, item.ref), now) for item in waiting]
            await self._keep(poll, [decision for decision in settled if decision], IncidentUpdate(), None)

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Let nothing be decided or kept in the block."""
        async with AsyncExitStack() as stack:
            for lock in list(self._deciding.values()):
                await stack.enter_async_context(lock)
            yield

    async def _record_deviation(self, poll: Poll, seen: PollResult) -> None:
        deviations = deviations_in(seen, self._cache.deviations, poll.key)
        if not deviations:
            return
        try:
            await self._cache.commit(Batch(deviations=deviations))
        except NotSavedError as error:
            # Left to the next answer: this one is kept, and tried again it would count as a second one.
            log.debug("contract.deviation_not_saved", poll=poll.key, reason=str(error))
            return
        for deviation in deviations:
            log.warning("contract.deviation", description=deviation.description, poll=deviation.poll)

    async def _in_line(self, target: Target, keep: Callable[[], Awaitable[Saved]]) -> Saved:
        return await self.write_queue.keep(target.poll.service.account, keep)

    def _lock(self, poll: Poll) -> asyncio.Lock:
        return self._deciding.setdefault(poll.service.account, asyncio.Lock())

    def _anything_pending(self, poll: Poll) -> bool:
        return any(item.pending or item.absent or item.gone for item in self.known(poll).values())

    def _is_news(self, observations: Iterable[Observation]) -> bool:
        """Say whether a status is not the recorded one: a view may have shown another since the same bytes came."""
        known = ((item.status, self._cache.training(item.ref)) for item in observations)
        return any(snapshot is None or snapshot.status != status for status, snapshot in known)

    def _decide(self, target: Target, observation: Observation, last_good_at: datetime | None) -> Decision:
        snapshot = self._cache.training(observation.ref)
        if snapshot is not None:
            snapshot = with_last_good_poll(snapshot, last_good_at)
        # A training of a service that was listed before is new; one that is watched by itself has no such list.
        new_since = last_good_at if target.poll.finds_new else None
        context = self._context(target, observation.ref, new_since)
        return decide(snapshot, observation, context, self._clock.utc_now())

    def _decide_view(self, target: Target, observation: Observation) -> Decision:
        snapshot = self._cache.training(observation.ref)
        return decide(snapshot, observation, self._context(target, observation.ref), self._clock.utc_now())

    def _context(self, target: Target, ref: TrainingRef, new_since: datetime | None = None) -> DecisionContext:
        naming = target.poll.naming_of(ref)
        # A start that lies ahead was dated by a clock that was set back since: it says nothing of what was missed.
        since = target.polling_since if target.polling_since <= self._clock.utc_now() else BEFORE_FIRST_POLL
        return DecisionContext(
            epoch=self._cache.epoch,
            polling_since=since,
            new_since=new_since,
            service_name=naming.name,
            labels=naming.labels,
            catch_up_id=target.catch_up_id,
        )

    def _missing(self, target: Target, seen: PollResult, before: PollState) -> list[Decision]:
        if target.poll.training is not None:
            return []
        shown = {observation.ref for observation in seen.observations}
        # Those that are watched by themselves are asked for by a view before they count as missing.
        absent = [item for ref, item in self.known(target.poll).items() if ref not in shown | target.poll.single.keys()]
        return [self._miss(target, item, seen, before) for item in absent]

    def _miss(self, target: Target, snapshot: Snapshot, seen: PollResult, before: PollState) -> Decision:
        return missed(snapshot, before.good_asked_at, self._context(target, snapshot.ref), seen.answered_at)

    async def _keep(
        self, poll: Poll, decisions: Iterable[Decision], update: IncidentUpdate, state: PollState | None
    ) -> None:
        """Commit what a restart must know; note the rest for the next flush."""
        weighty: list[Decision] = []
        light: list[Snapshot] = []
        for decision in decisions:
            if self._is_weighty(decision):
                weighty.append(decision)
            else:
                light.append(decision.snapshot)
        if weighty or update.changes:
            await self._commit(poll, weighty, update, state)
        self._cache.note(light, state)

    async def _commit(
        self, poll: Poll, decisions: list[Decision], update: IncidentUpdate, state: PollState | None
    ) -> None:
        events = tuple(decision.event for decision in decisions if decision.event) + update.events
        batch = Batch(
            snapshots=tuple(decision.snapshot for decision in decisions),
            events=events,
            polls=() if state is None else (state,),
            incident_rows=update.incident_rows,
        )
        await self._cache.commit(batch)
        self._incident_monitor.apply(poll, update)
        _log_events(events)
        if events:
            self._on_events()

    def _is_weighty(self, decision: Decision) -> bool:
        known, new = self._cache.training(decision.snapshot.ref), decision.snapshot
        if known is None or decision.event is not None:
            return True
        return (known.status, known.pending, known.absent) != (new.status, new.pending, new.absent)


def _answered(state: PollState, seen: PollResult, poll: Poll) -> PollState:
    # Another version or another plan may read the same bytes differently, so both are part of the digest.
    asked = f"{__version__} {poll.key} {poll.finds_new} {sorted(ref.subject for ref in poll.single)}"
    return PollState(
        key=state.key,
        good_asked_at=seen.asked_at,
        good_answered_at=seen.answered_at,
        digest=hashlib.sha256(seen.digest + asked.encode()).digest(),
    )


def _log_failure(before: PollState, failure: PollFailure) -> None:
    if before.failures == 0 or before.cause is not failure.cause:
        log.warning("poll.failed", poll=before.key, cause=failure.cause, detail=failure.detail)


def _log_events(events: Iterable[Event]) -> None:
    for event in events:
        keys = {"subject": event.subject, "event_id": event.id, "kind": event.kind, "reason": event.reason}
        if event.incident is None:
            moved = {"known": event.from_status, "seen": event.to_status, "late": event.late}
            log.info("training.changed", **keys, **moved)
        else:
            log.warning("incident.changed", **keys, cause=event.incident["cause"], detail=event.incident["detail"])
