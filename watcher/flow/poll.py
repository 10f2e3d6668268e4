"""Looking: what is due is asked for, decided on, and recorded with its events in one transaction.

One target is one recurring question (a list call or a view call). Targets run beside each other, a target never
beside itself; what concerns one service is decided one answer after the other.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from watcher import __version__
from watcher.core.cadence import Agenda, first_start, interval_for, next_start
from watcher.core.lifecycle import Background, Decision, catch_up, decide, missed, settle
from watcher.core.look import LookState, Seen, Unseen
from watcher.core.planner import Look
from watcher.core.training import Observation, ServiceRef, Snapshot, TrainingRef
from watcher.flow.memory import Memory
from watcher.flow.ports import Api, Clock, Polls

log = structlog.get_logger()

FLUSH_SECONDS: Final = 1.0
CONFIRM_BY_VIEW: Final = 3
"""Up to so many ends of one list are confirmed by a view each; more of them by the list, asked for again at once."""
PATIENCE_INTERVALS: Final = 2
"""After so many intervals without a confirmation, an end is told as unconfirmed."""


@dataclass(slots=True)
class Target:
    """A look while the program runs."""

    look: Look
    looking_since: datetime
    """Since when it was answered without a gap."""
    looked: bool = False
    """Whether it was tried since the start."""
    again_at_once: bool = False
    retry_after_seconds: float = 0.0


class Poller:
    """Makes the looks that are due and keeps what they show."""

    def __init__(
        self, looks: Iterable[Look], apis: Mapping[str, Api], polls: Polls, clock: Clock, on_events: Callable[[], None]
    ) -> None:
        self._looks = tuple(looks)
        self._apis = apis
        self._clock = clock
        self._on_events = on_events
        self.memory = Memory(polls)
        self._targets: dict[str, Target] = {}
        self._agenda = Agenda()
        self._deciding: dict[ServiceRef, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.first_round = asyncio.Event()
        """Set when each target was tried once."""

    async def start(self) -> None:
        """Read the memory and set the first look of each target."""
        await self.memory.load()
        now, wall = self._clock.monotonic(), self._clock.utc_now()
        for index, look in enumerate(self._looks):
            self._targets[look.key] = Target(look=look, looking_since=wall)
            self._agenda.put(look.key, first_start(now, index, len(self._looks), look.cadence.interval))

    def ring(self) -> None:
        """Start what is due; called often, does nothing when nothing is."""
        for key in self._agenda.take_due(self._clock.monotonic()):
            self._spawn(self._turn(self._targets[key]))

    async def sweep(self) -> None:
        """Look at every target once, and at once, until each end that was seen is confirmed or was asked for."""
        targets = list(self._targets.values())
        while targets:
            await asyncio.gather(*(self._visit(target) for target in targets))
            await asyncio.gather(*self._tasks)
            targets = [target for target in targets if target.again_at_once]
        await self.memory.flush()

    async def flush_for_ever(self) -> None:
        """Write once a second what the looks noted."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.memory.flush()
            except Exception:
                log.exception("look.flush_failed")

    async def stop(self, grace_seconds: float) -> None:
        """Take no more, let running looks finish for a while, keep what is known."""
        self._agenda = Agenda()
        if self._tasks:
            _, running = await asyncio.wait(self._tasks, timeout=grace_seconds)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        await self.memory.flush()

    def failing(self) -> list[LookState]:
        """Return the looks whose latest try failed."""
        states = (self.memory.look(key) for key in self._targets)
        return [state for state in states if state.failures]

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _turn(self, target: Target) -> None:
        started = self._clock.monotonic()
        try:
            await self._visit(target)
        finally:
            self._plan_next(target, started)
            self._note_first_round()

    def _plan_next(self, target: Target, started: float) -> None:
        finished = self._clock.monotonic()
        unit = random.random()  # noqa: S311 - it spreads the looks
        start = next_start(started, finished, self._interval(target.look), unit)
        if target.again_at_once:
            start = finished
        self._agenda.put(target.look.key, max(start, finished + target.retry_after_seconds))

    def _interval(self, look: Look) -> timedelta:
        return interval_for(look.cadence, self._known(look).values(), self._clock.utc_now())

    def _note_first_round(self) -> None:
        if all(target.looked for target in self._targets.values()):
            self.first_round.set()

    def _known(self, look: Look) -> Mapping[TrainingRef, Snapshot]:
        if look.training is None:
            return self.memory.service(look.service)
        snapshot = self.memory.training(look.training)
        return {} if snapshot is None else {look.training: snapshot}

    async def _visit(self, target: Target) -> None:
        target.looked = True
        target.again_at_once = False
        try:
            await self._look(target)
            await self._settle(target)
        except Exception:
            # Nothing was kept of this answer, so the next one decides it anew.
            log.exception("look.not_recorded", look=target.look.key)

    async def _look(self, target: Target) -> None:
        look, api = target.look, self._apis[target.look.service.account]
        sight = await (api.list(look.service) if look.training is None else api.view(look.training))
        if isinstance(sight, Unseen):
            self._note_failure(target, sight)
            return
        target.retry_after_seconds = 0.0
        await self._take_in(target, sight)
        await self._view_stragglers(target, sight)

    def _note_failure(self, target: Target, unseen: Unseen) -> None:
        state = self.memory.look(target.look.key)
        if state.failures == 0 or state.cause is not unseen.cause:
            log.warning("look.failed", look=state.key, cause=unseen.cause, detail=unseen.detail)
        target.looking_since = unseen.ended_at
        target.retry_after_seconds = unseen.retry_after_seconds or 0.0
        failed = replace(
            state,
            failures=state.failures + 1,
            failed_since=state.failed_since or unseen.asked_at,
            cause=unseen.cause,
            detail=unseen.detail,
        )
        self.memory.note([], failed)

    async def _take_in(self, target: Target, seen: Seen) -> None:
        """Decide on every training of an answer and keep what came of it."""
        look = target.look
        async with self._lock(look.service):
            before = self.memory.look(look.key)
            after = _answered(before, seen, look)
            if before.digest == after.digest and not self._anything_pending(look):
                self.memory.note([], after)
            else:
                decisions = [self._decide(target, item, before.good_asked_at) for item in seen.observations]
                await self._keep(decisions, self._missing(look, seen, before), after)
                self._confirm(target, decisions)
        if before.failures:
            log.info("look.works_again", look=look.key, failures=before.failures, since=before.failed_since)

    def _anything_pending(self, look: Look) -> bool:
        return any(snapshot.pending or snapshot.absent for snapshot in self._known(look).values())

    def _decide(self, target: Target, observation: Observation, last_good_at: datetime | None) -> Decision:
        snapshot = self.memory.training(observation.ref)
        if snapshot is not None:
            snapshot = catch_up(snapshot, last_good_at)
        # A training of a service that was listed before is new; one that is watched by itself has no such list.
        new_since = last_good_at if target.look.training is None else None
        background = self._background(target, observation.ref, new_since)
        return decide(snapshot, observation, background, self._clock.utc_now())

    def _background(self, target: Target, ref: TrainingRef, new_since: datetime | None = None) -> Background:
        naming = target.look.naming_of(ref)
        return Background(
            epoch=self.memory.epoch,
            looking_since=target.looking_since,
            new_since=new_since,
            service_name=naming.name,
            labels=naming.labels,
        )

    def _missing(self, look: Look, seen: Seen, before: LookState) -> list[Snapshot]:
        if look.training is not None:
            return []
        shown = {observation.ref for observation in seen.observations}
        known = self.memory.service(look.service)
        absent = [snapshot for ref, snapshot in known.items() if ref not in shown and ref not in look.single]
        return [missed(snapshot, before.good_asked_at) for snapshot in absent]

    async def _keep(self, decisions: Iterable[Decision], missing: list[Snapshot], look: LookState | None) -> None:
        """Commit what a restart must know; note the rest for the next flush."""
        weighty: list[Decision] = []
        light = missing
        for decision in decisions:
            if self._is_weighty(decision):
                weighty.append(decision)
            else:
                light.append(decision.snapshot)
        if weighty:
            await self._commit(weighty, look)
        self.memory.note(light, look)

    async def _commit(self, decisions: list[Decision], look: LookState | None) -> None:
        events = [decision.event for decision in decisions if decision.event]
        await self.memory.commit([decision.snapshot for decision in decisions], events, look)
        _log_decisions(decisions)
        if events:
            self._on_events()

    def _is_weighty(self, decision: Decision) -> bool:
        known = self.memory.training(decision.snapshot.ref)
        return known is None or known.status != decision.snapshot.status or known.pending != decision.snapshot.pending

    def _confirm(self, target: Target, decisions: list[Decision]) -> None:
        wanted = [decision.snapshot.ref for decision in decisions if decision.wants_confirmation]
        if len(wanted) > CONFIRM_BY_VIEW:
            target.again_at_once = True
            return
        for ref in wanted:
            self._spawn(self._view(target, ref))

    async def _view_stragglers(self, target: Target, seen: Seen) -> None:
        """Ask for the trainings that are watched by themselves and that the list lacks."""
        shown = {observation.ref for observation in seen.observations}
        for ref in target.look.single:
            if ref not in shown:
                await self._view(target, ref)

    async def _view(self, target: Target, ref: TrainingRef) -> None:
        """Ask for one training out of turn; a failure is left to the next look or to the end of patience."""
        sight = await self._apis[ref.account].view(ref, first=True)
        if isinstance(sight, Unseen):
            log.info("look.view_failed", training=ref.subject, cause=sight.cause, detail=sight.detail)
            return
        async with self._lock(ref.service_ref):
            await self._keep([self._decide_view(target, item) for item in sight.observations], [], None)

    def _decide_view(self, target: Target, observation: Observation) -> Decision:
        snapshot = self.memory.training(observation.ref)
        return decide(snapshot, observation, self._background(target, observation.ref), self._clock.utc_now())

    async def _settle(self, target: Target) -> None:
        """Tell ends that waited too long for their confirmation."""
        patience = target.look.cadence.interval * PATIENCE_INTERVALS
        async with self._lock(target.look.service):
            waiting = [snapshot for snapshot in self._known(target.look).values() if snapshot.pending]
            now = self._clock.utc_now()
            settled = [settle(item, patience, self._background(target, item.ref), now) for item in waiting]
            await self._keep([decision for decision in settled if decision], [], None)

    def _lock(self, service: ServiceRef) -> asyncio.Lock:
        return self._deciding.setdefault(service, asyncio.Lock())


def _answered(state: LookState, seen: Seen, look: Look) -> LookState:
    # Another version or another plan may read the same bytes differently, so both are part of the digest.
    asked = f"{__version__} {look.key} {sorted(ref.subject for ref in look.single)}"
    return LookState(
        key=state.key,
        good_asked_at=seen.asked_at,
        good_answered_at=seen.answered_at,
        digest=hashlib.sha256(seen.digest + asked.encode()).digest(),
    )


def _log_decisions(decisions: Iterable[Decision]) -> None:
    for decision in decisions:
        snapshot, event = decision.snapshot, decision.event
        if event is None:
            log.debug("training.noted", training=snapshot.ref.subject, reason=decision.reason, status=snapshot.status)
            continue
        log.info(
            "training.changed",
            training=event.subject,
            event_id=event.id,
            kind=event.kind,
            before=event.from_status,
            now=event.to_status,
            reason=decision.reason,
            late=event.late,
        )
