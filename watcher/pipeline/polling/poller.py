"""Looking: what is due is asked for; what comes back goes to the recorder.

One target is one recurring question (a list call or a view call). Targets run beside each other, a target never
beside itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from watcher.core.incidents.tracker import Incident, Thresholds
from watcher.core.polling.plan import Poll, discovered
from watcher.core.polling.result import PollFailure, PollResult, PollState
from watcher.core.polling.schedule import PollSchedule, first_start, interval_after, interval_for, next_start
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.polling.ask import ask
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.catch_up import CatchUps
from watcher.pipeline.polling.confirm import Confirmer
from watcher.pipeline.polling.flush import Flusher
from watcher.pipeline.polling.incidents import IncidentMonitor
from watcher.pipeline.polling.recorder import Recorder, Target
from watcher.pipeline.ports import Api, Clock, Observer, PollStore

log = structlog.get_logger()

TICK_SECONDS: Final = 1.0
"""It rings more often; the guard of the engine alone rings once a second."""


class Poller:
    """Makes the looks that are due and hands what they show to the recorder."""

    def __init__(  # noqa: PLR0913 - each is a port or a setting, wired once in app.py
        self,
        polls: Iterable[Poll],
        apis: Mapping[str, Api],
        poll_store: PollStore,
        clock: Clock,
        *,
        thresholds: Thresholds,
        clock_trust: ClockTrust,
        on_events: Callable[[], None],
        on_caught_up: Callable[[str | None], None],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._polls = tuple(polls)
        self._apis = apis
        self._clock = clock
        self._on_caught_up = on_caught_up
        self._observer = observer
        self.cache = PollCache(poll_store)
        self._incident_monitor = IncidentMonitor(self.cache, thresholds, clock_trust)
        self.flusher = Flusher(self.cache, self._incident_monitor, observer)
        self._recorder = Recorder(self.cache, self._incident_monitor, clock, on_events)
        self._targets: dict[str, Target] = {}
        self._schedule = PollSchedule()
        self._paused = False
        self._started_at = clock.utc_now()
        self._started_monotonic = clock.monotonic()
        self._catch_ups = CatchUps(self._let_go)
        self._hiding: set[str] = set()
        """Incidents whose targets were told that they are hidden."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._found: dict[ServiceRef, str | None] = {}
        """What looks for every service have found, with the names."""
        self._confirmer = Confirmer(self._recorder, self._spawn)
        self.first_round = asyncio.Event()
        """Set when each target was tried once."""

    async def start(self) -> None:
        """Read the memory and set the first look of each target."""
        await self.cache.load()
        self._incident_monitor.start(self._polls)
        await self.flusher.close_orphans()
        now = self._clock.monotonic()
        self._started_at = self._clock.utc_now()
        self._started_monotonic = now
        for index, poll in enumerate(self._polls):
            target = Target(poll=poll, polling_since=self._started_at, catch_up_id=self._catch_up_id_of(poll))
            self._targets[poll.key] = target
            self._schedule.put(poll.key, first_start(now, index, len(self._polls), poll.cadence.interval))
        self._note_first_round()

    async def apply_config(self, polls: Iterable[Poll], apis: Mapping[str, Api], thresholds: Thresholds) -> None:
        """Watch by another plan from now on; looks that it leaves as they are go on undisturbed."""
        async with self._recorder.still():
            self._polls, self._apis = tuple(polls), apis
            planned = {poll.key: poll for poll in (*self._found_before(), *self._polls)}
            for key in self._targets.keys() - planned.keys():
                self._retire(key)
            changed = [poll for poll in planned.values() if not self._watches(poll)]
            for index, poll in enumerate(changed):
                self._replace(poll, first_start(self._clock.monotonic(), index, len(changed), poll.cadence.interval))
            self._incident_monitor.apply_config(planned.values(), thresholds)
            # The new plan holds already: a store that cannot be written now must not make the reload look refused.
            await self.flusher.flush()
        self._note_first_round()

    def watched(self) -> tuple[int, int]:
        """Return how many trainings are known of what is watched, and of how many services."""
        polls = [target.poll for target in self._targets.values() if not target.poll.discovers]
        trainings = {ref for poll in polls for ref, known in self._recorder.known(poll).items() if not known.gone}
        return len(trainings), len({poll.service for poll in polls})

    def _found_before(self) -> list[Poll]:
        """Return the looks at what was found, as the present looks for every service would make them."""
        every = {poll.service.account: poll for poll in self._polls if poll.discovers}
        found = [(every.get(ref.account), ref, name) for ref, name in self._found.items()]
        return [discovered(poll, ref, name) for poll, ref, name in found if poll is not None]

    def _watches(self, poll: Poll) -> bool:
        target = self._targets.get(poll.key)
        return target is not None and target.poll == poll

    def _retire(self, key: str) -> None:
        self._targets.pop(key).retired = True
        self._schedule.drop(key)
        self._catch_ups.drop(key)

    def _replace(self, poll: Poll, start: float) -> None:
        """Take a new look in, or a changed one; one that is being made ends before the next begins, see ``_turn``."""
        before = self._targets.get(poll.key)
        if before is None:
            now = self._clock.utc_now()
            known = self.cache.poll(poll.key).good_asked_at is not None
            catch_up_id = f"reload {to_text(now)}" if known else None
            self._targets[poll.key] = Target(poll=poll, polling_since=now, catch_up_id=catch_up_id)
        else:
            before.retired = True
            self._targets[poll.key] = replace(before, poll=poll, retired=False)
        if before is None or self._schedule.contains(poll.key):
            self._schedule.put(poll.key, start)

    def pause(self) -> None:
        """Start no more looks until ``resume``: there is no room to keep what they would show."""
        self._paused = True

    def resume(self) -> None:
        """Look again; what changed meanwhile was not looked at."""
        self._paused = False
        for target in self._targets.values():
            target.polling_since = self._clock.utc_now()

    def tick(self) -> None:
        """Start what is due; called often, does nothing when nothing is."""
        now = self._clock.monotonic()
        self._observer.progressed("polling", TICK_SECONDS)
        if self._paused:
            return
        for key, due_at in self._schedule.take_due(now).items():
            self._observer.poll_started(now - due_at)
            self._spawn(self._turn(self._targets[key]))

    async def sweep(self) -> None:
        """Look at every target once, and at once, until each end that was seen is confirmed or was asked for."""
        self._recorder.write_queue.patient = False
        while targets := [target for target in self._targets.values() if target.again_at_once or not target.polled]:
            await asyncio.gather(*(self._visit(target) for target in targets))
            await asyncio.gather(*self._tasks)
        await self.cache.flush()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more, let running looks finish for a while, keep what is known."""
        self._schedule = PollSchedule()
        end = self._clock.monotonic() + grace_seconds
        # A look that ends meanwhile may want a view, which is one more to wait for.
        while self._tasks and (left := end - self._clock.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.flusher.flush()

    def failing(self) -> list[PollState]:
        """Return the looks whose latest try failed."""
        states = (self.cache.poll(key) for key in self._targets)
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
        if target.retired:
            if target.poll.key in self._targets and not self._schedule.contains(target.poll.key):
                self._schedule.put(target.poll.key, finished)
            return
        unit = random.random()  # noqa: S311 - it spreads the looks
        start = next_start(started, finished, self._interval(target), unit)
        if target.again_at_once:
            start = finished
        self._schedule.put(target.poll.key, max(start, finished + target.retry_after_seconds))

    def _interval(self, target: Target) -> timedelta:
        if failures := self.cache.poll(target.poll.key).failures:
            return interval_after(target.poll.cadence, failures)
        # In an incident, the answers that end it are worth as much as what is in progress.
        if self._incident_monitor.incident_over(target.poll) is not None:
            return target.poll.cadence.interval
        return interval_for(target.poll.cadence, self._recorder.known(target.poll).values(), self._steady_now())

    def _steady_now(self) -> datetime:
        """Return the time since the start's wall clock by monotonic seconds: a step of the wall changes no cadence."""
        return self._started_at + timedelta(seconds=self._clock.monotonic() - self._started_monotonic)

    def _note_first_round(self) -> None:
        if not self.first_round.is_set() and all(target.polled for target in self._targets.values()):
            self.first_round.set()

    async def _visit(self, target: Target) -> None:
        target.again_at_once = False
        try:
            await self._poll(target)
            await self._recorder.settle(target)
        except Exception:
            # Nothing was kept of this answer, so the next one decides it anew.
            log.exception("poll.record_failed", poll=target.poll.key)
        finally:
            target.polled = True

    async def _poll(self, target: Target) -> None:
        if target.poll.discovers:
            await self._discover(target)
            return
        api = self._apis[target.poll.service.account]
        outcome = await ask(target, api, self._clock)
        if isinstance(outcome, PollFailure):
            await self._note_failure(target, outcome)
            return
        target.retry_after_seconds = 0.0
        unconfirmed = await self._recorder.take_in(target, outcome)
        await self._confirmer.view_stragglers(api, target, outcome)
        await self._confirmer.confirm(api, target, unconfirmed)
        self._note_caught_up(target)

    async def _note_failure(self, target: Target, failure: PollFailure) -> None:
        target.retry_after_seconds = failure.retry_after_seconds or 0.0
        await self._recorder.note_failure(target, failure)
        incident = self._incident_monitor.incident_over(target.poll)
        if incident is not None:
            self._hide(incident, target)

    def _hide(self, incident: Incident, target: Target) -> None:
        """Let what an incident hides be told together afterwards; those that failed before it was one, too."""
        target.catch_up_id = incident.id
        if incident.id in self._hiding:
            return
        self._hiding.add(incident.id)
        # Whether it is this service or the whole account shows as soon as the others are asked.
        account = target.poll.service.account
        self._hurry(key for key, other in self._targets.items() if other.poll.service.account == account)
        for other in self._targets.values():
            over = self._incident_monitor.incident_over(other.poll)
            if over == incident and self.cache.poll(other.poll.key).failures:
                other.catch_up_id = incident.id

    async def _discover(self, target: Target) -> None:
        """Ask which services there are and watch those that are new."""
        poll = target.poll
        found = await self._apis[poll.service.account].services()
        if isinstance(found, PollFailure):
            await self._note_failure(target, found)
            return
        seen = PollResult(observations=(), asked_at=found.asked_at, answered_at=found.answered_at, digest=found.digest)
        await self._recorder.take_in(target, seen)
        if target.retired:
            return
        for service in found.services:
            self._found[service.ref] = service.name
            self._watch(discovered(poll, service.ref, service.name))
        self._note_caught_up(target)

    def _watch(self, poll: Poll) -> None:
        if poll.key in self._targets:
            return
        self._incident_monitor.watch(poll)
        known_since_before = self.cache.poll(poll.key).good_asked_at is not None
        catch_up_id = self._catch_up_id_of(poll) if known_since_before else None
        self._targets[poll.key] = Target(poll=poll, polling_since=self._started_at, catch_up_id=catch_up_id)
        self._schedule.put(poll.key, self._clock.monotonic())
        log.info("service.discovered", service=poll.service.service, name=poll.naming.name)

    def _catch_up_id_of(self, poll: Poll) -> str:
        incident = self._incident_monitor.incident_over(poll)
        return self._start_catch_up_id if incident is None else incident.id

    @property
    def _start_catch_up_id(self) -> str:
        return f"start {to_text(self._started_at)}"

    def _note_caught_up(self, target: Target) -> None:
        """After an incident, look at everything that it hid; when that is done, let the catch-up go."""
        catch_up_id = target.catch_up_id
        if catch_up_id is None or target.retired:
            return
        hidden = {key for key, other in self._targets.items() if other.catch_up_id == catch_up_id}
        if self._catch_ups.begin(catch_up_id, hidden):
            self._hurry(hidden - {target.poll.key})
        if any(snapshot.pending for snapshot in self._recorder.known(target.poll).values()):
            # What needs a second sight belongs to the catch-up too; a group's patience ends the wait at last.
            return
        target.catch_up_id = None
        self._catch_ups.tick_off(catch_up_id, target.poll.key)

    def _let_go(self, catch_up_id: str) -> None:
        self._hiding.discard(catch_up_id)
        # The start ends every earlier wait: what a process that died was still collecting goes with it.
        self._on_caught_up(None if catch_up_id == self._start_catch_up_id else catch_up_id)

    def _hurry(self, keys: Iterable[str]) -> None:
        now = self._clock.monotonic()
        for key in keys:
            self._schedule.bring_forward(key, now)
