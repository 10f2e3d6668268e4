"""One run of a poll: call AiTEMS, record the outcome, confirm ends, and note the catch-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import structlog

from watcher.core.incidents.tracker import Incident
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollFailure, PollResult, PollState
from watcher.pipeline.polling.ask import Caller
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.catch_up import CatchUps
from watcher.pipeline.polling.confirm import Confirmer, Spawn
from watcher.pipeline.polling.decider import Changes, Decider
from watcher.pipeline.polling.incidents import IncidentMonitor
from watcher.pipeline.polling.recorder import Recorder
from watcher.pipeline.polling.targets import PollContext, PollTarget, PollTargets
from watcher.pipeline.ports import Api, Clock, ServiceInfo, ServicesResult

log = structlog.get_logger()


class PollRunner:
    """Runs polls, and owns the state of a target that its runs change.

    Args:
        apis: the API of each account.
        targets: all targets, to poll others at once.
        catch_ups: the open catch-ups.
        cache: the state in memory.
        incident_monitor: the incident trackers.
        recorder: records decisions.
        clock: the machine's clocks.
        spawn: runs a view beside the poll that needs it.
        on_services: gets the services that a poll for every service has listed.
    """

    def __init__(  # noqa: PLR0913 - wired once, by the poller
        self,
        apis: Mapping[str, Api],
        targets: PollTargets,
        catch_ups: CatchUps,
        *,
        cache: PollCache,
        incident_monitor: IncidentMonitor,
        recorder: Recorder,
        clock: Clock,
        spawn: Spawn,
        on_services: Callable[[Poll, Sequence[ServiceInfo]], None],
    ) -> None:
        self.apis = apis
        self._targets = targets
        self._catch_ups = catch_ups
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._recorder = recorder
        self._clock = clock
        self._on_services = on_services
        self._decider = Decider(cache, incident_monitor, clock)
        self._caller = Caller(clock)
        self._confirmer = Confirmer(self._decider, self._caller, self._record, spawn)

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

    def resume(self) -> None:
        """Note the end of a pause: changes during it may have been missed."""
        now = self._clock.utc_now()
        for target in self._targets:
            target.polling_since = now

    async def _poll(self, target: PollTarget) -> None:
        api = self.apis[target.poll.service.account]
        outcome = await self._caller.call(target.poll, api)
        if isinstance(outcome, PollFailure):
            await self._note_failure(target, outcome)
            return
        changes = await self._note_result(target, outcome)
        await self._confirmer.view_missing(api, target, outcome)
        # A catch-up is one message, so it waits for the confirmation of its ends.
        wait = self._catch_ups.id_of(target.poll.key) is not None
        target.poll_again = await self._confirmer.confirm(api, target, changes.unconfirmed, wait=wait)
        self._note_caught_up(target)

    async def _discover(self, target: PollTarget) -> None:
        """List the account's services."""
        account = target.poll.service.account
        services = await self._caller.services(account, self.apis[account])
        if isinstance(services, PollFailure):
            await self._note_failure(target, services)
            return
        await self._note_result(target, _as_result(services))
        if target.retired:
            return
        self._on_services(target.poll, services.services)
        self._note_caught_up(target)

    async def _note_result(self, target: PollTarget, result: PollResult) -> Changes:
        target.retry_after_seconds = 0.0
        before = self._cache.poll(target.poll.key)
        changes = await self._record(target, partial(self._decider.answered, result=result))
        if before.failures and not target.retired:
            log.info("poll.recovered", poll=before.key, failures=before.failures, since=before.failed_since)
        return changes

    async def _note_failure(self, target: PollTarget, failure: PollFailure) -> None:
        target.retry_after_seconds = failure.retry_after_seconds or 0.0
        if not target.retired:
            _log_failure(self._cache.poll(target.poll.key), failure)
        changes = await self._record(target, partial(self._decider.failed, failure=failure))
        if changes.gap_until is not None:
            target.polling_since = changes.gap_until
        incident = self._incident_monitor.incident_over(target.poll)
        if incident is not None and not target.retired:
            self._hide(incident, target)

    async def _record(self, target: PollTarget, decide: Callable[[PollContext], Changes]) -> Changes:
        """Record the decision about a result, unless a reload has retired the target meanwhile."""

        def decide_now() -> Changes:
            # Only in its turn: a reload or an earlier result may change the context while this one waits.
            return Changes() if target.retired else decide(self._context(target))

        return await self._recorder.record(target.poll, decide_now)

    def _context(self, target: PollTarget) -> PollContext:
        catch_up_id = self._catch_ups.id_of(target.poll.key)
        return PollContext(poll=target.poll, polling_since=target.polling_since, catch_up_id=catch_up_id)

    def _hide(self, incident: Incident, target: PollTarget) -> None:
        """Add this target to the catch-up of an incident, and the targets that failed before the incident opened."""
        if not self._catch_ups.hide(incident.id, target.poll.key):
            return
        # The others show whether it is this service or the whole account that fails.
        account = target.poll.service.account
        self._bring_forward(other.poll.key for other in self._targets if other.poll.service.account == account)
        for other in self._targets:
            is_hidden = self._incident_monitor.incident_over(other.poll) == incident
            if is_hidden and self._cache.poll(other.poll.key).failures:
                self._catch_ups.join(other.poll.key, incident.id)

    def _note_caught_up(self, target: PollTarget) -> None:
        """Note a good poll for its catch-up; the first one polls the other targets of the catch-up at once."""
        if target.retired:
            return
        # An end that awaits its confirmation belongs to the catch-up too. A group's patience ends that wait.
        pending = any(snapshot.pending for snapshot in self._cache.known(target.poll).values())
        self._bring_forward(self._catch_ups.note_good_poll(target.poll.key, finished=not pending))

    def _bring_forward(self, keys: Iterable[str]) -> None:
        self._targets.bring_forward(keys, self._clock.monotonic())


def _as_result(services: ServicesResult) -> PollResult:
    return PollResult(
        observations=(),
        asked_at=services.asked_at,
        answered_at=services.answered_at,
        digest=services.digest,
        deviations=services.deviations,
        unreadable=services.unreadable,
    )


def _log_failure(before: PollState, failure: PollFailure) -> None:
    if before.failures == 0 or before.cause is not failure.cause:
        log.warning("poll.failed", poll=before.key, cause=failure.cause, detail=failure.detail)
