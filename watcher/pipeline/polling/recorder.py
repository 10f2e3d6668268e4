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
from watcher.core.batch import Batch, NotKeptError
from watcher.core.event import Event
from watcher.core.polling.drift import drifts_in
from watcher.core.polling.plan import Look
from watcher.core.polling.result import Cause, LookState, Seen, Unseen
from watcher.core.training.decision import Background, Decision, Reason
from watcher.core.training.lifecycle import catch_up, decide, missed, settle
from watcher.core.training.model import Observation, Snapshot, TrainingRef
from watcher.pipeline.polling.cache import Memory
from watcher.pipeline.polling.incidents import Consequence, Lookout
from watcher.pipeline.polling.write_queue import Kept, Line
from watcher.pipeline.ports import Clock

log = structlog.get_logger()

BEFORE_ANY_LOOK: Final = datetime.min.replace(tzinfo=UTC)
PATIENCE_INTERVALS: Final = 2
"""After so many intervals without a confirmation, an end is told as unconfirmed."""


@dataclass(slots=True)
class Target:
    """A look while the program runs."""

    look: Look
    looking_since: datetime
    """Since when it was answered without a gap."""
    occasion: str | None
    """What its late changes are told on together: the start, or the incident that hid them."""
    looked: bool = False
    """Whether it was tried since the start."""
    retired: bool = False
    """Whether another plan has taken its place: what it still brings is dropped, and asked for anew."""
    again_at_once: bool = False
    repeats: int = 0
    """How many times in a row it was asked for again at once."""
    retry_after_seconds: float = 0.0
    views_until: float = 0.0
    """Until then, in monotonic seconds, a joined list is asked for by single views, since it was refused."""


class Recorder:
    """Decides and keeps, one answer of an account after the other."""

    def __init__(self, memory: Memory, lookout: Lookout, clock: Clock, on_events: Callable[[], None]) -> None:
        self._memory = memory
        self._lookout = lookout
        self._clock = clock
        self._on_events = on_events
        self.line = Line()
        self._deciding: dict[str, asyncio.Lock] = {}

    def known(self, look: Look) -> Mapping[TrainingRef, Snapshot]:
        """Return the recorded trainings that a look is about."""
        if look.training is None:
            trainings = self._memory.service(look.service)
            return trainings if look.whole else {ref: trainings[ref] for ref in look.single if ref in trainings}
        snapshot = self._memory.training(look.training)
        return {} if snapshot is None else {look.training: snapshot}

    async def note_failure(self, target: Target, unseen: Unseen) -> None:
        """Keep that a look showed nothing."""
        await self._in_line(target, lambda: self._note_failure(target, unseen))

    async def _note_failure(self, target: Target, unseen: Unseen) -> None:
        look = target.look
        async with self._lock(look):
            if target.retired:
                return
            before = self._memory.look(look.key)
            _log_failure(before, unseen)
            after = replace(
                before,
                failures=before.failures + 1,
                failed_since=before.failed_since or unseen.asked_at,
                cause=unseen.cause,
                detail=unseen.detail,
            )
            known = self._memory.training(look.training) if look.training is not None else None
            if known is not None and unseen.cause is Cause.NOT_FOUND:
                # An answer, and a counting one: there was no gap in looking.
                await self._note_missing(target, known, before, after, unseen.ended_at)
                return
            consequence = self._lookout.failed(look, unseen, self._clock.utc_now())
            if unseen.cause is not Cause.CLOCK:
                consequence += self._lookout.dated(look, unseen.server_date, unseen.ended_at)
            await self._keep(look, [], consequence, after)
        target.looking_since = unseen.ended_at

    async def _note_missing(
        self, target: Target, known: Snapshot, before: LookState, after: LookState, now: datetime
    ) -> None:
        """A training that is watched by itself and was found before: AiTEMS answered that there is none."""
        consequence = self._lookout.missed(target.look, now)
        decision = missed(known, before.good_asked_at, self._background(target, known.ref), now)
        await self._keep(target.look, [decision], consequence, after)

    async def take_in(self, target: Target, seen: Seen) -> list[TrainingRef]:
        """Decide on every training of an answer and keep what came of it; return the ends that want confirming."""
        return await self._in_line(target, lambda: self._take_in(target, seen))

    async def _take_in(self, target: Target, seen: Seen) -> list[TrainingRef]:
        look = target.look
        async with self._lock(look):
            if target.retired:
                return []
            before = self._memory.look(look.key)
            after = _answered(before, seen, look)
            decisions: list[Decision] = []
            concerned = [item for item in seen.observations if look.concerns(item.ref)]
            if before.digest != after.digest or self._anything_pending(look) or self._is_news(concerned):
                decisions = [self._decide(target, item, before.good_asked_at) for item in concerned]
                decisions += self._missing(target, seen, before)
            shown = [item.ref for item in seen.observations]
            consequence = self._lookout.succeeded(look, shown, self._clock.utc_now())
            consequence += self._lookout.dated(look, seen.server_date, seen.answered_at)
            await self._keep(look, decisions, consequence, after)
            await self._note_drift(look, seen)
        if before.failures:
            log.info("look.works_again", look=look.key, failures=before.failures, since=before.failed_since)
        return [decision.snapshot.ref for decision in decisions if decision.wants_confirmation]

    async def take_view(self, target: Target, seen: Seen, *, confirming: bool = False) -> None:
        """Decide on a training that was asked for out of turn.

        A confirming view that shows the recorded word may be a replica's old answer: it takes nothing back, since the
        list, should its bytes stay the same, would not be read again. The next list decides, or the end of patience.
        """
        await self._in_line(target, lambda: self._take_view(target, seen, confirming=confirming))

    async def _take_view(self, target: Target, seen: Seen, *, confirming: bool) -> None:
        async with self._lock(target.look):
            if target.retired:
                return
            decisions = [self._decide_view(target, item) for item in seen.observations]
            if confirming:
                decisions = [decision for decision in decisions if decision.reason is not Reason.NOT_REPEATED]
            await self._keep(target.look, decisions, Consequence(), None)

    async def take_absence(self, target: Target, ref: TrainingRef, now: datetime) -> None:
        """Note that a training that is watched by itself was neither listed nor found by a view."""
        await self._in_line(target, lambda: self._take_absence(target, ref, now))

    async def _take_absence(self, target: Target, ref: TrainingRef, now: datetime) -> None:
        async with self._lock(target.look):
            if not target.retired and (known := self._memory.training(ref)) is not None:
                decision = missed(known, None, self._background(target, ref), now)
                await self._keep(target.look, [decision], Consequence(), None)

    async def settle(self, target: Target) -> None:
        """Tell ends that waited too long for their confirmation."""
        await self._in_line(target, lambda: self._settle(target))

    async def _settle(self, target: Target) -> None:
        look = target.look
        patience = look.cadence.interval * PATIENCE_INTERVALS
        async with self._lock(look):
            if target.retired:
                return
            waiting = [snapshot for snapshot in self.known(look).values() if snapshot.pending]
            now = self._clock.utc_now()
            settled = [settle(item, patience, self._background(target, item.ref), now) for item in waiting]
            await self._keep(look, [decision for decision in settled if decision], Consequence(), None)

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Let nothing be decided or kept in the block."""
        async with AsyncExitStack() as stack:
            for lock in list(self._deciding.values()):
                await stack.enter_async_context(lock)
            yield

    async def _note_drift(self, look: Look, seen: Seen) -> None:
        drifts = drifts_in(seen, self._memory.oddities, look.key)
        if not drifts:
            return
        try:
            await self._memory.commit(Batch(drifts=drifts))
        except NotKeptError as error:
            # Left to the next answer: this one is kept, and tried again it would count as a second one.
            log.debug("contract.drift_not_kept", look=look.key, reason=str(error))
            return
        for drift in drifts:
            log.warning("contract.drift", oddity=drift.oddity, look=drift.look)

    async def _in_line(self, target: Target, keep: Callable[[], Awaitable[Kept]]) -> Kept:
        return await self.line.keep(target.look.service.account, keep)

    def _lock(self, look: Look) -> asyncio.Lock:
        return self._deciding.setdefault(look.service.account, asyncio.Lock())

    def _anything_pending(self, look: Look) -> bool:
        return any(item.pending or item.absent or item.gone for item in self.known(look).values())

    def _is_news(self, observations: Iterable[Observation]) -> bool:
        """Say whether a status is not the recorded one: a view may have shown another since the same bytes came."""
        known = ((item.status, self._memory.training(item.ref)) for item in observations)
        return any(snapshot is None or snapshot.status != status for status, snapshot in known)

    def _decide(self, target: Target, observation: Observation, last_good_at: datetime | None) -> Decision:
        snapshot = self._memory.training(observation.ref)
        if snapshot is not None:
            snapshot = catch_up(snapshot, last_good_at)
        # A training of a service that was listed before is new; one that is watched by itself has no such list.
        new_since = last_good_at if target.look.finds_new else None
        background = self._background(target, observation.ref, new_since)
        return decide(snapshot, observation, background, self._clock.utc_now())

    def _decide_view(self, target: Target, observation: Observation) -> Decision:
        snapshot = self._memory.training(observation.ref)
        return decide(snapshot, observation, self._background(target, observation.ref), self._clock.utc_now())

    def _background(self, target: Target, ref: TrainingRef, new_since: datetime | None = None) -> Background:
        naming = target.look.naming_of(ref)
        # A start that lies ahead was dated by a clock that was set back since: it says nothing of what was missed.
        since = target.looking_since if target.looking_since <= self._clock.utc_now() else BEFORE_ANY_LOOK
        return Background(
            epoch=self._memory.epoch,
            looking_since=since,
            new_since=new_since,
            service_name=naming.name,
            labels=naming.labels,
            occasion=target.occasion,
        )

    def _missing(self, target: Target, seen: Seen, before: LookState) -> list[Decision]:
        if target.look.training is not None:
            return []
        shown = {observation.ref for observation in seen.observations}
        # Those that are watched by themselves are asked for by a view before they count as missing.
        absent = [item for ref, item in self.known(target.look).items() if ref not in shown | target.look.single.keys()]
        return [self._miss(target, item, seen, before) for item in absent]

    def _miss(self, target: Target, snapshot: Snapshot, seen: Seen, before: LookState) -> Decision:
        return missed(snapshot, before.good_asked_at, self._background(target, snapshot.ref), seen.answered_at)

    async def _keep(
        self, look: Look, decisions: Iterable[Decision], consequence: Consequence, state: LookState | None
    ) -> None:
        """Commit what a restart must know; note the rest for the next flush."""
        weighty: list[Decision] = []
        light: list[Snapshot] = []
        for decision in decisions:
            if self._is_weighty(decision):
                weighty.append(decision)
            else:
                light.append(decision.snapshot)
        if weighty or consequence.turns:
            await self._commit(look, weighty, consequence, state)
        self._memory.note(light, state)

    async def _commit(
        self, look: Look, decisions: list[Decision], consequence: Consequence, state: LookState | None
    ) -> None:
        events = tuple(decision.event for decision in decisions if decision.event) + consequence.events
        batch = Batch(
            snapshots=tuple(decision.snapshot for decision in decisions),
            events=events,
            looks=() if state is None else (state,),
            troubles=consequence.troubles,
        )
        await self._memory.commit(batch)
        self._lookout.apply(look, consequence)
        _log_events(events)
        if events:
            self._on_events()

    def _is_weighty(self, decision: Decision) -> bool:
        known, new = self._memory.training(decision.snapshot.ref), decision.snapshot
        if known is None or decision.event is not None:
            return True
        return (known.status, known.pending, known.absent) != (new.status, new.pending, new.absent)


def _answered(state: LookState, seen: Seen, look: Look) -> LookState:
    # Another version or another plan may read the same bytes differently, so both are part of the digest.
    asked = f"{__version__} {look.key} {look.finds_new} {sorted(ref.subject for ref in look.single)}"
    return LookState(
        key=state.key,
        good_asked_at=seen.asked_at,
        good_answered_at=seen.answered_at,
        digest=hashlib.sha256(seen.digest + asked.encode()).digest(),
    )


def _log_failure(before: LookState, unseen: Unseen) -> None:
    if before.failures == 0 or before.cause is not unseen.cause:
        log.warning("look.failed", look=before.key, cause=unseen.cause, detail=unseen.detail)


def _log_events(events: Iterable[Event]) -> None:
    for event in events:
        keys = {"subject": event.subject, "event_id": event.id, "kind": event.kind, "reason": event.reason}
        if event.incident is None:
            moved = {"known": event.from_status, "seen": event.to_status, "late": event.late}
            log.info("training.changed", **keys, **moved)
        else:
            log.warning("sight.changed", **keys, cause=event.incident["cause"], detail=event.incident["detail"])
