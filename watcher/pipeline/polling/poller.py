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
from watcher.core.polling.plan import Look, discovered
from watcher.core.polling.result import LookState, Seen, Unseen
from watcher.core.polling.schedule import Agenda, first_start, interval_after, interval_for, next_start
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef
from watcher.pipeline.clock_trust import ClockDoubt
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.polling.ask import ask
from watcher.pipeline.polling.cache import Memory
from watcher.pipeline.polling.catch_up import CatchUps
from watcher.pipeline.polling.confirm import SecondSight
from watcher.pipeline.polling.flush import Flusher
from watcher.pipeline.polling.incidents import Lookout
from watcher.pipeline.polling.recorder import Recorder, Target
from watcher.pipeline.ports import Api, Clock, Observer, Polls

log = structlog.get_logger()

RING_SECONDS: Final = 1.0
"""It rings more often; the guard of the engine alone rings once a second."""


class Poller:
    """Makes the looks that are due and hands what they show to the recorder."""

    def __init__(  # noqa: PLR0913 - each is a port or a setting, wired once in app.py
        self,
        looks: Iterable[Look],
        apis: Mapping[str, Api],
        polls: Polls,
        clock: Clock,
        *,
        thresholds: Thresholds,
        doubt: ClockDoubt,
        on_events: Callable[[], None],
        on_caught_up: Callable[[str | None], None],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._looks = tuple(looks)
        self._apis = apis
        self._clock = clock
        self._on_caught_up = on_caught_up
        self._observer = observer
        self.memory = Memory(polls)
        self._lookout = Lookout(self.memory, thresholds, doubt)
        self.flusher = Flusher(self.memory, self._lookout, observer)
        self._recorder = Recorder(self.memory, self._lookout, clock, on_events)
        self._targets: dict[str, Target] = {}
        self._agenda = Agenda()
        self._paused = False
        self._started_at = clock.utc_now()
        self._started_monotonic = clock.monotonic()
        self._catch_ups = CatchUps(self._let_go)
        self._hiding: set[str] = set()
        """Incidents whose targets were told that they are hidden."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._found: dict[ServiceRef, str | None] = {}
        """What looks for every service have found, with the names."""
        self._second_sight = SecondSight(self._recorder, self._spawn)
        self.first_round = asyncio.Event()
        """Set when each target was tried once."""

    async def start(self) -> None:
        """Read the memory and set the first look of each target."""
        await self.memory.load()
        self._lookout.start(self._looks)
        await self.flusher.close_orphans()
        now = self._clock.monotonic()
        self._started_at = self._clock.utc_now()
        self._started_monotonic = now
        for index, look in enumerate(self._looks):
            target = Target(look=look, looking_since=self._started_at, occasion=self._occasion_of(look))
            self._targets[look.key] = target
            self._agenda.put(look.key, first_start(now, index, len(self._looks), look.cadence.interval))
        self._note_first_round()

    async def take_over(self, looks: Iterable[Look], apis: Mapping[str, Api], thresholds: Thresholds) -> None:
        """Watch by another plan from now on; looks that it leaves as they are go on undisturbed."""
        async with self._recorder.still():
            self._looks, self._apis = tuple(looks), apis
            planned = {look.key: look for look in (*self._found_before(), *self._looks)}
            for key in self._targets.keys() - planned.keys():
                self._retire(key)
            changed = [look for look in planned.values() if not self._watches(look)]
            for index, look in enumerate(changed):
                self._replace(look, first_start(self._clock.monotonic(), index, len(changed), look.cadence.interval))
            self._lookout.take_over(planned.values(), thresholds)
            # The new plan holds already: a store that cannot be written now must not make the reload look refused.
            await self.flusher.flush()
        self._note_first_round()

    def watched(self) -> tuple[int, int]:
        """Return how many trainings are known of what is watched, and of how many services."""
        looks = [target.look for target in self._targets.values() if not target.look.discovers]
        trainings = {ref for look in looks for ref, known in self._recorder.known(look).items() if not known.gone}
        return len(trainings), len({look.service for look in looks})

    def _found_before(self) -> list[Look]:
        """Return the looks at what was found, as the present looks for every service would make them."""
        every = {look.service.account: look for look in self._looks if look.discovers}
        found = [(every.get(ref.account), ref, name) for ref, name in self._found.items()]
        return [discovered(look, ref, name) for look, ref, name in found if look is not None]

    def _watches(self, look: Look) -> bool:
        target = self._targets.get(look.key)
        return target is not None and target.look == look

    def _retire(self, key: str) -> None:
        self._targets.pop(key).retired = True
        self._agenda.drop(key)
        self._catch_ups.drop(key)

    def _replace(self, look: Look, start: float) -> None:
        """Take a new look in, or a changed one; one that is being made ends before the next begins, see ``_turn``."""
        before = self._targets.get(look.key)
        if before is None:
            now = self._clock.utc_now()
            known = self.memory.look(look.key).good_asked_at is not None
            occasion = f"reload {to_text(now)}" if known else None
            self._targets[look.key] = Target(look=look, looking_since=now, occasion=occasion)
        else:
            before.retired = True
            self._targets[look.key] = replace(before, look=look, retired=False)
        if before is None or self._agenda.holds(look.key):
            self._agenda.put(look.key, start)

    def pause(self) -> None:
        """Start no more looks until ``resume``: there is no room to keep what they would show."""
        self._paused = True

    def resume(self) -> None:
        """Look again; what changed meanwhile was not looked at."""
        self._paused = False
        for target in self._targets.values():
            target.looking_since = self._clock.utc_now()

    def ring(self) -> None:
        """Start what is due; called often, does nothing when nothing is."""
        now = self._clock.monotonic()
        self._observer.turned("looking", RING_SECONDS)
        if self._paused:
            return
        for key, due_at in self._agenda.take_due(now).items():
            self._observer.look_started(now - due_at)
            self._spawn(self._turn(self._targets[key]))

    async def sweep(self) -> None:
        """Look at every target once, and at once, until each end that was seen is confirmed or was asked for."""
        self._recorder.line.patient = False
        while targets := [target for target in self._targets.values() if target.again_at_once or not target.looked]:
            await asyncio.gather(*(self._visit(target) for target in targets))
            await asyncio.gather(*self._tasks)
        await self.memory.flush()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more, let running looks finish for a while, keep what is known."""
        self._agenda = Agenda()
        end = self._clock.monotonic() + grace_seconds
        # A look that ends meanwhile may want a view, which is one more to wait for.
        while self._tasks and (left := end - self._clock.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.flusher.flush()

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
        if target.retired:
            if target.look.key in self._targets and not self._agenda.holds(target.look.key):
                self._agenda.put(target.look.key, finished)
            return
        unit = random.random()  # noqa: S311 - it spreads the looks
        start = next_start(started, finished, self._interval(target), unit)
        if target.again_at_once:
            start = finished
        self._agenda.put(target.look.key, max(start, finished + target.retry_after_seconds))

    def _interval(self, target: Target) -> timedelta:
        if failures := self.memory.look(target.look.key).failures:
            return interval_after(target.look.cadence, failures)
        # In an incident, the answers that end it are worth as much as what is in progress.
        if self._lookout.incident_over(target.look) is not None:
            return target.look.cadence.interval
        return interval_for(target.look.cadence, self._recorder.known(target.look).values(), self._steady_now())

    def _steady_now(self) -> datetime:
        """Return the time since the start's wall clock by monotonic seconds: a step of the wall changes no cadence."""
        return self._started_at + timedelta(seconds=self._clock.monotonic() - self._started_monotonic)

    def _note_first_round(self) -> None:
        if not self.first_round.is_set() and all(target.looked for target in self._targets.values()):
            self.first_round.set()

    async def _visit(self, target: Target) -> None:
        target.again_at_once = False
        try:
            await self._look(target)
            await self._recorder.settle(target)
        except Exception:
            # Nothing was kept of this answer, so the next one decides it anew.
            log.exception("look.not_recorded", look=target.look.key)
        finally:
            target.looked = True

    async def _look(self, target: Target) -> None:
        if target.look.discovers:
            await self._discover(target)
            return
        api = self._apis[target.look.service.account]
        sight = await ask(target, api, self._clock)
        if isinstance(sight, Unseen):
            await self._note_failure(target, sight)
            return
        target.retry_after_seconds = 0.0
        unconfirmed = await self._recorder.take_in(target, sight)
        await self._second_sight.view_stragglers(api, target, sight)
        await self._second_sight.confirm(api, target, unconfirmed)
        self._note_caught_up(target)

    async def _note_failure(self, target: Target, unseen: Unseen) -> None:
        target.retry_after_seconds = unseen.retry_after_seconds or 0.0
        await self._recorder.note_failure(target, unseen)
        incident = self._lookout.incident_over(target.look)
        if incident is not None:
            self._hide(incident, target)

    def _hide(self, incident: Incident, target: Target) -> None:
        """Let what an incident hides be told together afterwards; those that failed before it was one, too."""
        target.occasion = incident.id
        if incident.id in self._hiding:
            return
        self._hiding.add(incident.id)
        # Whether it is this service or the whole account shows as soon as the others are asked.
        account = target.look.service.account
        self._hurry(key for key, other in self._targets.items() if other.look.service.account == account)
        for other in self._targets.values():
            over = self._lookout.incident_over(other.look)
            if over == incident and self.memory.look(other.look.key).failures:
                other.occasion = incident.id

    async def _discover(self, target: Target) -> None:
        """Ask which services there are and watch those that are new."""
        look = target.look
        found = await self._apis[look.service.account].services()
        if isinstance(found, Unseen):
            await self._note_failure(target, found)
            return
        seen = Seen(observations=(), asked_at=found.asked_at, answered_at=found.answered_at, digest=found.digest)
        await self._recorder.take_in(target, seen)
        if target.retired:
            return
        for service in found.services:
            self._found[service.ref] = service.name
            self._watch(discovered(look, service.ref, service.name))
        self._note_caught_up(target)

    def _watch(self, look: Look) -> None:
        if look.key in self._targets:
            return
        self._lookout.watch(look)
        known_since_before = self.memory.look(look.key).good_asked_at is not None
        occasion = self._occasion_of(look) if known_since_before else None
        self._targets[look.key] = Target(look=look, looking_since=self._started_at, occasion=occasion)
        self._agenda.put(look.key, self._clock.monotonic())
        log.info("service.discovered", service=look.service.service, name=look.naming.name)

    def _occasion_of(self, look: Look) -> str:
        incident = self._lookout.incident_over(look)
        return self._start_occasion if incident is None else incident.id

    @property
    def _start_occasion(self) -> str:
        return f"start {to_text(self._started_at)}"

    def _note_caught_up(self, target: Target) -> None:
        """After an incident, look at everything that it hid; when that is done, let the catch-up go."""
        occasion = target.occasion
        if occasion is None or target.retired:
            return
        hidden = {key for key, other in self._targets.items() if other.occasion == occasion}
        if self._catch_ups.begin(occasion, hidden):
            self._hurry(hidden - {target.look.key})
        if any(snapshot.pending for snapshot in self._recorder.known(target.look).values()):
            # What needs a second sight belongs to the catch-up too; a group's patience ends the wait at last.
            return
        target.occasion = None
        self._catch_ups.tick_off(occasion, target.look.key)

    def _let_go(self, occasion: str) -> None:
        self._hiding.discard(occasion)
        # The start ends every earlier wait: what a process that died was still collecting goes with it.
        self._on_caught_up(None if occasion == self._start_occasion else occasion)

    def _hurry(self, keys: Iterable[str]) -> None:
        now = self._clock.monotonic()
        for key in keys:
            self._agenda.hurry(key, now)
