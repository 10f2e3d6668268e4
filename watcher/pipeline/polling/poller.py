"""The polling stage: starts the polls that are due and keeps the targets of the configuration.

Polls run beside each other, but never two of one target.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Final

import structlog

from watcher.core.incidents.model import Incident, Thresholds
from watcher.core.observer import UNOBSERVED, Observer
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollState
from watcher.core.polling.schedule import first_start
from watcher.core.training.overdue import ExpectedRetraining
from watcher.core.training.stuck import RunInProgress
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.polling.account_writer import AccountWriter
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.catch_up import CatchUps
from watcher.pipeline.polling.discovery import Discovery
from watcher.pipeline.polling.flush import Flusher
from watcher.pipeline.polling.incidents.circuit import Circuits
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.intervals import Intervals
from watcher.pipeline.polling.poll_runner import PollRunner
from watcher.pipeline.polling.recorder import Recorder
from watcher.pipeline.polling.runs.comparer import RunComparer
from watcher.pipeline.polling.runs.series import retrainings, runs_in_progress
from watcher.pipeline.polling.targets import PollTarget, PollTargets
from watcher.pipeline.polling.updates.rounds import NO_SERVICE_APIS
from watcher.pipeline.ports import Api, Clock, PollingStore, ServiceApi

log = structlog.get_logger()

TICK_SECONDS: Final = 10.0
"""The longest time between two ticks, see ``watcher.scheduler``."""


class Poller:
    """Starts due polls; made once per process, and changed by reloads."""

    def __init__(  # noqa: PLR0913 - each is a port or a setting, wired once
        self,
        polls: Iterable[Poll],
        apis: Mapping[str, Api],
        poll_store: PollingStore,
        clock: Clock,
        *,
        thresholds: Thresholds,
        clock_trust: ClockTrust,
        on_events: Callable[[], None],
        on_caught_up: Callable[[str | None], None],
        observer: Observer = UNOBSERVED,
        service_apis: Mapping[str, ServiceApi] = NO_SERVICE_APIS,
    ) -> None:
        self._polls = tuple(polls)
        self._clock = clock
        self._observer = observer
        self.cache = PollCache(poll_store)
        self._incident_monitor = IncidentMonitor(self.cache, thresholds, clock_trust)
        self.flusher = Flusher(self.cache, self._incident_monitor, observer)
        self._writer = AccountWriter()
        self._targets = PollTargets()
        self._catch_ups = CatchUps(on_caught_up)
        self._discovery = Discovery(self.cache)
        self._discovery.plan(self._polls)
        self._circuits = Circuits(self._incident_monitor, self._targets)
        self._intervals = Intervals(self.cache, self._incident_monitor, clock)
        comparer = RunComparer(poll_store, clock)
        self._runner = PollRunner(
            apis,
            service_apis,
            self._targets,
            self._catch_ups,
            cache=self.cache,
            incident_monitor=self._incident_monitor,
            recorder=Recorder(self.cache, self._incident_monitor, comparer, self._writer, on_events),
            clock=clock,
            spawn=self._spawn,
            discovery=self._discovery,
            on_found=self._add_service,
            on_group=on_caught_up,
            asks_updates=lambda: self._sweeping or self.first_round.is_set(),
        )
        self._sweeping = False
        self._paused = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.first_round = asyncio.Event()
        """Set when each target was polled once."""

    async def start(self) -> None:
        """Load the stored state and schedule the first poll of each target."""
        await self.cache.load()
        self._incident_monitor.start(self._polls)
        await self.flusher.close_orphans()
        self._intervals.start()
        self._catch_ups.begin_start(self._intervals.started_at)
        now = self._clock.monotonic()
        for index, poll in enumerate(self._polls):
            start = first_start(now, index, len(self._polls), poll.cadence.interval)
            self._targets.add(PollTarget(poll=poll, polling_since=self._intervals.started_at), start)
            self._join_catch_up(poll)
        self._note_first_round()

    async def apply_config(
        self,
        polls: Iterable[Poll],
        apis: Mapping[str, Api],
        thresholds: Thresholds,
        *,
        service_apis: Mapping[str, ServiceApi] = NO_SERVICE_APIS,
    ) -> None:
        """Poll by another plan from now on; the polls that it leaves unchanged keep their state."""
        # No decision may see one half of the old plan and one half of the new one.
        async with self._writer.paused():
            self._polls, self._runner.apis = tuple(polls), apis
            self._runner.update_rounds.apis = service_apis
            self._discovery.plan(self._polls)
            planned = {poll.key: poll for poll in (*self._discovery.polls(), *self._polls)}
            for key in self._targets.keys() - planned.keys():
                self._targets.retire(key)
                self._catch_ups.drop(key)
                self._runner.forget(key)
            changed = [poll for poll in planned.values() if not self._is_unchanged(poll)]
            for index, poll in enumerate(changed):
                self._change(poll, first_start(self._clock.monotonic(), index, len(changed), poll.cadence.interval))
            self._incident_monitor.apply_config(planned.values(), thresholds)
            # The new plan is in force already, so a store that cannot be written must not fail the reload.
            await self.flusher.flush()
        self._note_first_round()

    def watched(self) -> tuple[int, int]:
        """Return the number of watched trainings that were found, and of watched services."""
        polls = [target.poll for target in self._targets if not target.poll.discovers]
        trainings = {ref for poll in polls for ref, known in self.cache.known(poll).items() if not known.gone}
        return len(trainings), len({poll.service for poll in polls})

    def statuses(self) -> Mapping[str, int]:
        """Return the number of watched trainings by recorded status; an unconfirmed first one is left out."""
        polls = [target.poll for target in self._targets if not target.poll.discovers]
        known = {ref: snapshot for poll in polls for ref, snapshot in self.cache.known(poll).items()}
        return Counter(item.status for item in known.values() if item.status is not None and not item.gone)

    async def in_progress(self) -> list[RunInProgress]:
        """Return the watched trainings that have a run in progress, as the metrics show them."""
        return await runs_in_progress(self.cache, self.polls())

    async def retrainings(self) -> list[ExpectedRetraining]:
        """Return the retrainings of the watched services, as the metrics show them."""
        return await retrainings(self.cache, self.polls())

    def failing(self) -> list[PollState]:
        """Return the state of the polls whose latest run failed."""
        states = (self.cache.poll(target.poll.key) for target in self._targets)
        return [state for state in states if state.failures]

    def polls(self) -> list[Poll]:
        """Return the polls of the present configuration, and those of the services that were found."""
        return [target.poll for target in self._targets]

    def next_probes(self) -> Mapping[str, float]:
        """Return the seconds until the next poll of each account that cannot be polled, unless it is under way."""
        now = self._clock.monotonic()
        return {account: max(start - now, 0.0) for account, start in self._circuits.next_probes().items()}

    def poll(self, key: str) -> Poll | None:
        """Return the poll with this key, if there is one at present."""
        target = self._targets.get(key)
        return None if target is None else target.poll

    def bring_forward(self, poll: Poll) -> None:
        """Start a poll now that is due later, unless it fails: then it waits its time."""
        if not self.cache.poll(poll.key).failures:
            self._targets.bring_forward([poll.key], self._clock.monotonic())

    def pause(self) -> None:
        """Start no more polls until ``resume``, as their results could not be recorded."""
        self._paused = True

    def resume(self) -> None:
        """Start polls again."""
        self._paused = False
        self._runner.resume()
        self._targets.notify_rescheduled()

    def next_due(self) -> float | None:
        """Return the time of the next poll, in monotonic seconds; ``None`` while there is none to start."""
        return None if self._paused else self._targets.next_due()

    async def rescheduled(self, timeout_seconds: float) -> None:
        """Wait until ``next_due`` may be earlier than before, at most this long."""
        await self._targets.rescheduled(timeout_seconds)

    def tick(self) -> None:
        """Start the polls that are due."""
        self._observer.progressed("polling", TICK_SECONDS)
        if self._paused:
            return
        now = self._clock.monotonic()
        for target, due_at in self._circuits.in_turn(self._targets.take_due(now)):
            incident = self._circuits.waits(target, now)
            if incident is None:
                self._observer.poll_started(now - due_at)
                self._spawn(self._run(target))
            else:
                self._targets.plan(target.poll.key, self._circuits.next_try(target, now))
                self._spawn(self._wait(target, incident))

    async def sweep(self) -> None:
        """Poll every target once, and confirm the ends that this finds; do not wait for the store."""
        self._writer.fail_fast()
        self._sweeping = True
        while targets := [target for target in self._targets if target.poll_again or not target.polled]:
            await asyncio.gather(*(self._runner.run(target) for target in targets))
            await asyncio.gather(*self._tasks)
        await self.cache.flush()

    async def stop(self, grace_seconds: float) -> None:
        """Start no more polls, give running ones this time to end, and write the state."""
        self._targets.clear_schedule()
        end = self._clock.monotonic() + grace_seconds
        # A poll that ends meanwhile may start a view, so the set of tasks is read anew each time.
        while self._tasks and (left := end - self._clock.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.flusher.flush()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, target: PollTarget) -> None:
        started = self._clock.monotonic()
        try:
            await self._runner.run(target)
        finally:
            self._plan_next(target, started)
            self._circuits.ended(target, started, self._clock.monotonic())
            self._note_first_round()

    async def _wait(self, target: PollTarget, incident: Incident) -> None:
        await self._runner.wait(target, incident)
        self._note_first_round()

    def _plan_next(self, target: PollTarget, started: float) -> None:
        if target.retired:
            self._targets.plan_replacement(target.poll.key, self._clock.monotonic())
        else:
            self._targets.plan(target.poll.key, self._intervals.next_start(target, started))

    def _note_first_round(self) -> None:
        if not self.first_round.is_set() and all(target.polled for target in self._targets):
            self.first_round.set()

    def _is_unchanged(self, poll: Poll) -> bool:
        target = self._targets.get(poll.key)
        return target is not None and target.poll == poll

    def _change(self, poll: Poll, start: float) -> None:
        """Add a poll of a new plan, or replace that with the same key."""
        if self._targets.get(poll.key) is not None:
            self._targets.replace(poll, start)
            return
        now = self._clock.utc_now()
        self._targets.add(PollTarget(poll=poll, polling_since=now), start)
        if self._was_polled_before(poll):
            self._catch_ups.join_reload(poll.key, now)

    def _add_service(self, target: PollTarget) -> None:
        """Add the list poll of a service that was found."""
        poll = target.poll
        self._incident_monitor.watch(poll)
        self._targets.add(target, self._clock.monotonic())
        if self._was_polled_before(poll):
            self._join_catch_up(poll)
        log.info("service.discovered", service=poll.service.service, name=poll.attributes.name)

    def _was_polled_before(self, poll: Poll) -> bool:
        return self.cache.poll(poll.key).good_asked_at is not None

    def _join_catch_up(self, poll: Poll) -> None:
        """Add a poll to the catch-up of its open incident, or else of the start."""
        incident = self._incident_monitor.incident_over(poll)
        if incident is None:
            self._catch_ups.join_start(poll.key)
        else:
            self._catch_ups.join_incident(poll.key, incident)
