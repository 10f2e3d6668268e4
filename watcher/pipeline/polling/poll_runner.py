"""One run of a poll: call AiTEMS, record the outcome, confirm ends, and note the catch-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog

from watcher.core.incidents.model import Incident
from watcher.core.polling.result import Cause, PollFailure, PollResult, PollState
from watcher.pipeline.polling.ask import Caller
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.catch_up import CatchUps
from watcher.pipeline.polling.confirm import Confirmer, Spawn
from watcher.pipeline.polling.decider import Decider
from watcher.pipeline.polling.discovery import Discovery
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.poll_changes import Changes
from watcher.pipeline.polling.recorder import Recorder
from watcher.pipeline.polling.runs.clock_steps import ClockSteps
from watcher.pipeline.polling.services import ServiceLists
from watcher.pipeline.polling.targets import PollContext, PollTarget, PollTargets
from watcher.pipeline.polling.updates.results import result_changes
from watcher.pipeline.polling.updates.rounds import UpdateRounds
from watcher.pipeline.polling.vanish import VanishedTrainings
from watcher.pipeline.ports import Api, Clock, ServiceApi

log = structlog.get_logger()


class PollRunner:
    """Runs polls, and owns the state of a target that its runs change.

    Args:
        apis: the API of each account.
        service_apis: the calls about interval services.
        targets: all targets, to poll others at once.
        catch_ups: the open catch-ups.
        cache: the state in memory.
        incident_monitor: the incident trackers.
        recorder: records decisions.
        clock: the machine's clocks.
        spawn: runs a view beside the poll that needs it.
        discovery: the services that patterns watch.
        on_found: gets the target of the list poll of a service that has none yet.
        on_group: gets the id of a group of events that is complete.
        asks_updates: whether the updates of services may be asked for now.
    """

    def __init__(  # noqa: PLR0913 - wired once, by the poller
        self,
        apis: Mapping[str, Api],
        service_apis: Mapping[str, ServiceApi],
        targets: PollTargets,
        catch_ups: CatchUps,
        *,
        cache: PollCache,
        incident_monitor: IncidentMonitor,
        recorder: Recorder,
        clock: Clock,
        spawn: Spawn,
        discovery: Discovery,
        on_found: Callable[[PollTarget], None],
        on_group: Callable[[str], None],
        asks_updates: Callable[[], bool],
    ) -> None:
        self.apis = apis
        self._targets = targets
        self._catch_ups = catch_ups
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._recorder = recorder
        self._clock = clock
        self._on_group = on_group
        self._clock_steps = ClockSteps(cache, clock)
        self._decider = Decider(cache, incident_monitor, clock)
        self._caller = Caller(clock)
        self._confirmer = Confirmer(self._decider, self._caller, self._record, spawn)
        self._discovery = discovery
        self._services = ServiceLists(
            self._decider,
            discovery,
            self._record,
            cache=cache,
            incident_monitor=incident_monitor,
            targets=targets,
            clock=clock,
            on_found=on_found,
            on_gone=self._end,
        )
        self._vanished = VanishedTrainings(self._decider, self._caller, cache, self._record, clock)
        self.update_rounds = UpdateRounds(
            service_apis, cache, incident_monitor, self._record, clock, spawn=spawn, is_ready=asks_updates
        )

    async def run(self, target: PollTarget) -> None:
        """Poll a target once; an error is logged, and the next poll decides anew."""
        target.poll_again = False
        try:
            await (self._discover(target) if target.poll.discovers else self._poll(target))
            await self._record(target, self._decider.overdue)
        except Exception:
            log.exception("poll.record_failed", poll=target.poll.key)
        finally:
            target.polled = True

    def forget(self, key: str) -> None:
        """Forget the lists of a poll that has ended; what is still known of the service stays in the cache."""
        self._cache.forget_deadlines(key)
        self._confirmer.forget(key)
        self.update_rounds.forget(key)

    def resume(self) -> None:
        """Note the end of a pause: changes during it may have been missed."""
        now = self._clock.utc_now()
        for target in self._targets:
            target.end_gap(now)

    async def _poll(self, target: PollTarget) -> None:
        api = self.apis[target.poll.service.account]
        outcome = await self._caller.call(target.poll, api)
        if isinstance(outcome, PollFailure):
            await self._note_failure(target, outcome)
            return
        changes = await self._note_result(target, partial(self._decider.answered, result=outcome))
        await self._confirmer.view_missing(api, target, outcome)
        # A catch-up is one message, so it waits for the confirmation of its ends.
        wait = self._catch_ups.of(target.poll.key) is not None
        target.poll_again = await self._confirmer.confirm(api, target, changes.unconfirmed, wait=wait)
        if changes.unlisted:
            await self._vanished.check(api, target, changes.unlisted)
        await self._note_results(target, outcome)
        self._note_caught_up(target)
        self.update_rounds.after_list(target, outcome)

    async def _note_results(self, target: PollTarget, outcome: PollResult) -> None:
        """Note the inference results in an answer, and those that it lacks."""
        if not self._cache.awaiting_results(target.poll):
            return

        def decide(context: PollContext) -> Changes:
            return Changes(updates=result_changes(self._cache, context, outcome, self._clock.utc_now()))

        await self._record(target, decide)

    async def _discover(self, target: PollTarget) -> None:
        """List the account's services."""
        account = target.poll.service.account
        services = await self._caller.services(account, self.apis[account])
        if isinstance(services, PollFailure):
            await self._note_failure(target, services)
            return
        decide = partial(self._services.decide, services=services)
        changes = await self._note_result(target, decide)
        if target.retired:
            return
        await self._services.follow(self.apis[account], target, services, changes)
        self._note_caught_up(target)

    async def _note_result(self, target: PollTarget, decide: Callable[[PollContext], Changes]) -> Changes:
        target.retry_after_seconds = 0.0
        before = self._cache.poll(target.poll.key)
        changes = await self._record(target, decide)
        if before.failures and not target.retired:
            log.info("poll.recovered", poll=before.key, failures=before.failures, since=before.failed_since)
        return changes

    async def _note_failure(self, target: PollTarget, failure: PollFailure) -> None:
        target.retry_after_seconds = failure.retry_after_seconds or 0.0
        if not target.retired:
            _log_failure(self._cache.poll(target.poll.key), failure)
        changes = await self._record(target, partial(self._decider.failed, failure=failure))
        if changes.gap_until is not None:
            target.end_gap(changes.gap_until)
        if target.retired:
            return
        if failure.cause is Cause.NOT_FOUND:
            self._note_missing(target)
        if self._incident_monitor.wants_evidence(target.poll):
            self._poll_others(target)
        incident = self._incident_monitor.incident_over(target.poll)
        if incident is not None:
            self._hide(incident, target)

    async def wait(self, target: PollTarget, incident: Incident) -> None:
        """Note that a due target waits for the end of its account's incident: changes until then may be missed."""
        target.polled = True
        target.end_gap(self._clock.utc_now())
        self._catch_ups.join_incident(target.poll.key, incident)
        try:
            await self._record(target, self._decider.overdue)
        except Exception:
            log.exception("poll.record_failed", poll=target.poll.key)

    def _poll_others(self, target: PollTarget) -> None:
        """Poll those targets of the account now that have not failed: they show whether the whole account fails."""
        account = target.poll.service.account
        others = (other.poll.key for other in self._targets if other.poll.service.account == account)
        self._bring_forward(key for key in others if not self._cache.poll(key).failures)

    def _note_missing(self, target: PollTarget) -> None:
        """Note that AiTEMS does not know a service or training: no catch-up waits for it."""
        self._catch_ups.drop(target.poll.key)
        services = self._discovery.key_of(target.poll.service.account)
        if services is not None and self._discovery.poll_of(target.poll.service) is not None:
            # The list of services says whether the service is gone, before this becomes an incident.
            self._bring_forward([services])

    def _end(self, key: str) -> None:
        """End the poll of a service that is gone."""
        self._catch_ups.drop(key)
        self.forget(key)
        if self._targets.get(key) is not None:
            self._targets.retire(key)

    async def _record(self, target: PollTarget, decide: Callable[[PollContext], Changes]) -> Changes:
        """Record the decision about a result, unless a reload has retired the target meanwhile."""

        def decide_now() -> Changes:
            self._clock_steps.correct()
            # Only in its turn: a reload or an earlier result may change the context while this one waits.
            return Changes() if target.retired else decide(self._context(target))

        changes = await self._recorder.record(target.poll, decide_now)
        for group in changes.own_groups:
            self._on_group(group)
        return changes

    def _context(self, target: PollTarget) -> PollContext:
        return PollContext(
            poll=target.poll,
            polling_since=target.polling_since,
            service_was_gone=target.service_was_gone,
            catch_up=self._catch_ups.of(target.poll.key),
        )

    def _hide(self, incident: Incident, target: PollTarget) -> None:
        """Add this target to the catch-up of an incident, and the targets that failed before the incident opened."""
        if not self._catch_ups.hide(target.poll.key, incident):
            return
        # The others show whether it is this service or the whole account that fails.
        account = target.poll.service.account
        self._bring_forward(other.poll.key for other in self._targets if other.poll.service.account == account)
        for other in self._targets:
            is_hidden = self._incident_monitor.incident_over(other.poll) == incident
            if is_hidden and self._cache.poll(other.poll.key).failures:
                self._catch_ups.join_incident(other.poll.key, incident)

    def _note_caught_up(self, target: PollTarget) -> None:
        """Note a good poll for its catch-up; the first one polls the other targets of the catch-up at once."""
        if target.retired or self._catch_ups.of(target.poll.key) is None:
            return
        # An end that awaits its confirmation belongs to the catch-up too. A group's patience ends that wait.
        pending = any(snapshot.pending for snapshot in self._cache.known(target.poll).values())
        self._bring_forward(self._catch_ups.note_good_poll(target.poll.key, finished=not pending))

    def _bring_forward(self, keys: Iterable[str]) -> None:
        self._targets.bring_forward(keys, self._clock.monotonic())


def _log_failure(before: PollState, failure: PollFailure) -> None:
    if before.failures == 0 or before.cause is not failure.cause:
        log.warning("poll.failed", poll=before.key, cause=failure.cause, detail=failure.detail)
