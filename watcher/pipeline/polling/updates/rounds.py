"""Asks for the schedule of a service, and for the updates of an interval service, after a good poll of its list.

These calls run beside the polls: a failure or a slow answer delays no training. They are rarer than the polls, as an
update takes place every hour at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

import structlog

from watcher.core.polling.deviation import deviations_in
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollFailure, PollResult, PollState
from watcher.core.training.model import ServiceRef
from watcher.core.updates.result import ScheduleResult, UpdateList
from watcher.core.updates.schedule import BATCH_AGE, SCHEDULE_AGE, ServiceSchedule, update_interval
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.confirm import Record, Spawn
from watcher.pipeline.polling.decider import after_failure
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor, IncidentUpdate
from watcher.pipeline.polling.poll_changes import Changes
from watcher.pipeline.polling.targets import PollContext, PollTarget
from watcher.pipeline.polling.updates.changes import (
    NO_UPDATES,
    ServiceAnswers,
    awaits_updates,
    update_changes,
    updated_trainings,
    updates_key,
)
from watcher.pipeline.ports import Clock, ServiceApi

log = structlog.get_logger()

NO_SERVICE_APIS: Final[Mapping[str, ServiceApi]] = MappingProxyType({})
LONGEST_WAIT: Final = timedelta(minutes=30)
"""The longest wait after failed calls."""
EARLY: Final = 0.85
"""The part of a wait after which a list brings the next round: lists come up to a tenth early."""


@dataclass(slots=True)
class _Service:
    """What is known of one service, and the time of its next round in monotonic seconds."""

    schedule: ServiceSchedule | None = None
    schedule_at: float = 0.0
    due_at: float = 0.0
    running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """The answers of one round; after a failed call there is none of the later ones."""

    schedule: ServiceSchedule | None = None
    lists: Sequence[UpdateList] = ()
    failure: PollFailure | None = None
    deviations: tuple[str, ...] = ()
    any_asked: bool = True
    """Whether a call was made."""


class UpdateRounds:
    """Makes the calls about interval services, and records their results.

    Args:
        apis: the API of each account; an account without one has no such calls.
        cache: the state in memory.
        incident_monitor: the incident trackers.
        record: records decisions.
        clock: the machine's clocks.
        spawn: runs a round beside the polls.
        is_ready: whether rounds may start: the first poll of every target goes before.
    """

    def __init__(  # noqa: PLR0913 - wired once, by the poll runner
        self,
        apis: Mapping[str, ServiceApi],
        cache: PollCache,
        incident_monitor: IncidentMonitor,
        record: Record,
        clock: Clock,
        *,
        spawn: Spawn,
        is_ready: Callable[[], bool],
    ) -> None:
        self.apis = apis
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._record = record
        self._clock = clock
        self._spawn = spawn
        self._is_ready = is_ready
        self._services: dict[str, _Service] = {}
        self._may_fail: set[ServiceRef] = set()
        """The services whose latest calls may have failed; the state of each says whether they have."""

    def after_list(self, target: PollTarget, listed: PollResult) -> None:
        """Start a round after a good poll of a list, where one is due."""
        poll, now = target.poll, self._clock.monotonic()
        api = self.apis.get(poll.service.account)
        if not poll.asks_updates:
            # Its failures must not hold the incident of the others open.
            self.forget(poll.key)
            return
        if api is None or not self._is_ready():
            return
        known = self._known(poll)
        if not known.running and (now >= known.due_at or self._hurries(poll, listed)):
            known.running = True
            self._spawn(self._run(api, target, known, listed))

    def _known(self, poll: Poll) -> _Service:
        known = self._services.get(poll.key)
        if known is None:
            known = self._services[poll.key] = _Service()
            # The calls of an earlier process may have failed.
            self._may_fail.add(poll.service)
        return known

    def _hurries(self, poll: Poll, listed: PollResult) -> bool:
        """Return whether an overdue retraining needs a list of updates now; failed calls wait their time."""
        has_failed = self._cache.poll(updates_key(poll.service)).failures
        return not has_failed and awaits_updates(self._cache, poll, listed)

    def forget(self, key: str) -> None:
        """Forget the service of a poll that has ended."""
        if self._services.pop(key, None) is not None and (service := ServiceRef.from_subject(key)) is not None:
            self._may_fail.discard(service)

    async def _run(self, api: ServiceApi, target: PollTarget, known: _Service, listed: PollResult) -> None:
        started = self._clock.monotonic()
        try:
            answers = await self._ask(api, target.poll, known)
            changes = await self._record(target, partial(self._decide, answers=answers, listed=listed))
            _log_outcome(target.poll.service, answers.failure, changes)
        except Exception:
            # The next round decides anew.
            log.exception("updates.record_failed", service=target.poll.service.service)
        finally:
            known.running = False
            known.due_at = started + EARLY * self._wait(target.poll, known).total_seconds()

    async def _ask(self, api: ServiceApi, poll: Poll, known: _Service) -> _Answers:
        any_asked = not self._is_fresh(known)
        schedule = await self._schedule(api, poll.service, known)
        if isinstance(schedule, PollFailure):
            return _Answers(failure=schedule)
        answers = _Answers(schedule=schedule.schedule, deviations=schedule.deviations, any_asked=any_asked)
        if not schedule.schedule.has_updates:
            return answers
        lists: list[UpdateList] = []
        for ref in updated_trainings(self._cache, poll):
            outcome = await api.updates(ref)
            if isinstance(outcome, PollFailure):
                return replace(answers, lists=lists, failure=outcome, any_asked=True)
            lists.append(outcome)
        return replace(answers, lists=lists, any_asked=any_asked or bool(lists))

    def _is_fresh(self, known: _Service) -> bool:
        age = self._clock.monotonic() - known.schedule_at
        return known.schedule is not None and age < EARLY * SCHEDULE_AGE.total_seconds()

    async def _schedule(self, api: ServiceApi, ref: ServiceRef, known: _Service) -> ScheduleResult | PollFailure:
        if known.schedule is not None and self._is_fresh(known):
            return ScheduleResult(schedule=known.schedule)
        outcome = await api.schedule(ref)
        if isinstance(outcome, ScheduleResult):
            known.schedule, known.schedule_at = outcome.schedule, self._clock.monotonic()
        return outcome

    def _decide(self, context: PollContext, answers: _Answers, listed: PollResult) -> Changes:
        key = updates_key(context.poll.service)
        updates = (
            NO_UPDATES
            if answers.schedule is None
            else update_changes(
                self._cache,
                context,
                ServiceAnswers(listed=listed, schedule=answers.schedule, lists=answers.lists),
                self._clock.utc_now(),
            )
        )
        return Changes(
            updates=updates,
            incidents=self._incidents(context.poll, answers),
            state=self._state(key, answers),
            deviations=deviations_in(_as_result(answers, listed), self._cache.deviations, key),
        )

    def _incidents(self, poll: Poll, answers: _Answers) -> IncidentUpdate:
        account, now = poll.service.account, self._clock.utc_now()
        if answers.failure is not None:
            self._may_fail.add(poll.service)
            return self._incident_monitor.updates_failed(account, answers.failure, now)
        if not answers.any_asked or self._others_fail(poll):
            return IncidentUpdate()
        return self._incident_monitor.updates_answered(account, now)

    def _others_fail(self, poll: Poll) -> bool:
        """Return whether the calls about another service of the account have failed, so that its incident goes on."""
        # Few services fail, and each answer about any of the others asks.
        self._may_fail = {ref for ref in self._may_fail if self._cache.poll(updates_key(ref)).failures}
        return any(ref.account == poll.service.account and ref != poll.service for ref in self._may_fail)

    def _state(self, key: str, answers: _Answers) -> PollState | None:
        before = self._cache.poll(key)
        if answers.failure is not None:
            return after_failure(before, answers.failure)
        if not answers.any_asked:
            return None
        if not answers.lists:
            # A batch service needs no row, unless it has one with failures.
            return PollState(key=key) if self._cache.has_poll(key) and before != PollState(key=key) else None
        return PollState(
            key=key,
            good_asked_at=min(item.asked_at for item in answers.lists),
            good_answered_at=max(item.answered_at for item in answers.lists),
        )

    def _wait(self, poll: Poll, known: _Service) -> timedelta:
        usual = update_interval(poll.cadence.interval, poll.cadence.idle_interval)
        if failures := self._cache.poll(updates_key(poll.service)).failures:
            return max(min(usual * (1 << min(failures - 1, 10)), LONGEST_WAIT), usual)
        return usual if known.schedule is not None and known.schedule.has_updates else max(usual, BATCH_AGE)


def _as_result(answers: _Answers, listed: PollResult) -> PollResult:
    """Return the deviations of a round as those of a poll."""
    lists = answers.lists
    return PollResult(
        shown=(),
        asked_at=listed.asked_at,
        answered_at=max((item.answered_at for item in lists), default=listed.answered_at),
        digest=b"",
        deviations=(*answers.deviations, *(text for item in lists for text in item.deviations)),
        unreadable=tuple(record for item in lists for record in item.unreadable),
    )


def _log_outcome(service: ServiceRef, failure: PollFailure | None, changes: Changes) -> None:
    state = changes.state
    if failure is not None and state is not None and state.failures == 1:
        log.warning("updates.failed", service=service.service, cause=failure.cause, detail=failure.detail)
