"""The incident trackers of all accounts, and the events and rows that their changes make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.core.batch import IncidentRow
from watcher.core.event import Event
from watcher.core.incidents.events import IncidentScope, describe, with_id
from watcher.core.incidents.evidence import Evidence
from watcher.core.incidents.model import (
    MAX_CLOCK_SKEW_SECONDS,
    Failure,
    Incident,
    IncidentChange,
    IncidentChangeKind,
    Streak,
    Thresholds,
)
from watcher.core.incidents.tracker import IncidentTracker
from watcher.core.polling.plan import Poll, discovered
from watcher.core.polling.result import Cause, PollFailure, PollState
from watcher.core.subject import account_of
from watcher.core.training.model import WATCH_PREFIX, ServiceRef, TrainingRef
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents.scopes import IncidentScopes
from watcher.pipeline.polling.incidents.subjects import clock_subject, failure_of, service_of, updates_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentUpdate:
    """The incident changes that one poll makes, with their events and rows.

    ``IncidentMonitor.apply`` adopts the changes after the rows were written.
    """

    changes: tuple[IncidentChange, ...] = ()
    events: tuple[Event, ...] = ()
    incident_rows: tuple[IncidentRow, ...] = ()

    def __add__(self, other: IncidentUpdate) -> IncidentUpdate:
        return IncidentUpdate(
            changes=self.changes + other.changes,
            events=self.events + other.events,
            incident_rows=self.incident_rows + other.incident_rows,
        )


class IncidentMonitor:
    """Finds the incident changes that polls make.

    The polls of one account must come one after the other, see ``AccountWriter``.
    """

    def __init__(self, cache: PollCache, thresholds: Thresholds, clock_trust: ClockTrust) -> None:
        self._clock_trust = clock_trust
        self._cache = cache
        self._thresholds = thresholds
        self._trackers: dict[str, IncidentTracker] = {}
        self._clocks: dict[str, IncidentTracker] = {}
        """One more tracker per account: does its server's clock agree with the wall clock?"""
        self._updates: dict[str, IncidentTracker] = {}
        """One more for the calls about interval services, of each account that makes them."""
        self._services: dict[str, set[ServiceRef]] = {}
        self._discovering: dict[str, Poll] = {}
        """By account, the poll of its services."""
        self._scopes = IncidentScopes()

    def start(self, polls: Iterable[Poll]) -> None:
        """Restore the failure counts and the open incidents from the cache."""
        for poll in polls:
            self.watch(poll)
        for incident in self._cache.open_incidents():
            account = account_of(incident.subject)
            if account in self._trackers:
                self._tracker_of(account, incident).apply(
                    [IncidentChange(kind=IncidentChangeKind.NOTED, incident=incident)]
                )

    def apply_config(self, polls: Iterable[Poll], thresholds: Thresholds) -> None:
        """Start again with another plan, from the state in the cache, as a restart would."""
        self._thresholds = thresholds
        self._discovering.clear()
        self._scopes.clear()
        for known in (self._trackers, self._clocks, self._updates, self._services):
            known.clear()
        self.start(polls)

    def watch(self, poll: Poll) -> None:
        """Add a poll, and restore its failures in a row from the cache."""
        account = poll.service.account
        tracker = self._trackers.setdefault(account, IncidentTracker(account, self._thresholds))
        alone = replace(self._thresholds, account_after=timedelta.max)
        self._clocks.setdefault(account, IncidentTracker(account, alone))
        if poll.training is None and poll.attributes.updates is not False:
            self._updates.setdefault(account, IncidentTracker(account, alone))
        if poll.discovers:
            self._discovering[account] = poll
        else:
            self._services.setdefault(account, set()).add(poll.service)
        self._scopes.add_account(tracker.subject, account)
        self._scopes.add_poll(poll)
        state = self._cache.poll(poll.key)
        if not poll.discovers:
            # Whether services failed at that time is not known yet, see ``IncidentTracker``.
            tracker.remember_good(state.good_answered_at)
        if self._is_unreachable(poll, state):
            _remember(tracker, self.subject_of(poll), state)
        if poll.training is None:
            self._restore_views(poll, tracker)

    def rename(self, poll: Poll) -> None:
        """Give the next events the present name of a poll's service."""
        self._scopes.rename(poll)

    def _restore_views(self, poll: Poll, tracker: IncidentTracker) -> None:
        """Restore the failed views of trainings that the list did not show."""
        for ref in self._cache.viewed(poll.service):
            state = self._cache.poll(ref.subject)
            if state.failures and poll.concerns(ref):
                self._scopes.add_training(poll, ref)
                _remember(tracker, ref.watch_subject, state)

    def _is_unreachable(self, poll: Poll, state: PollState) -> bool:
        """Say whether a poll fails; the answer that a found training does not exist any more is no failure."""
        is_gone = poll.training is not None and self._cache.training(poll.training) is not None
        return state.failures > 0 and not (is_gone and state.cause is Cause.NOT_FOUND)

    def subject_of(self, poll: Poll) -> str:
        """Return the subject that a failed poll counts for: its service, or a training that was never found."""
        if poll.discovers:
            return poll.key
        if poll.training is not None and self._cache.training(poll.training) is None:
            return poll.training.watch_subject
        return poll.service.subject

    def incident_over(self, poll: Poll) -> Incident | None:
        """Return the open incident that a poll belongs to, of its account or of its own subject."""
        tracker = self._trackers.get(poll.service.account)
        # A poll may still run after a reload has removed its account.
        return None if tracker is None else tracker.incident_over(self.subject_of(poll))

    def account_incident(self, account: str) -> Incident | None:
        """Return the open incident of an account as a whole."""
        tracker = self._trackers.get(account)
        return None if tracker is None else tracker.incident_over(tracker.subject)

    def wants_evidence(self, poll: Poll) -> bool:
        """Return whether other polls of the account should tell if it fails, or this poll alone."""
        account = poll.service.account
        tracker = self._trackers.get(account)
        watched = len(self._services.get(account, ()))
        return tracker is not None and tracker.wants_evidence(self.subject_of(poll), watched)

    def failed(self, poll: Poll, poll_failure: PollFailure, now: datetime) -> IncidentUpdate:
        """Return the changes that a failed poll makes."""
        account, subject = poll.service.account, self.subject_of(poll)
        if poll.from_pattern and poll_failure.cause is Cause.NOT_FOUND:
            # The list of services says next whether the service is gone: nobody has an id to correct.
            return self._update(account, self._trackers[account].missing(subject, now), now)
        last_good_at = self._cache.poll(poll.key).good_asked_at
        return self._failed(account, subject, poll_failure, last_good_at, now)

    def view_failed(self, poll: Poll, ref: TrainingRef, poll_failure: PollFailure, now: datetime) -> IncidentUpdate:
        """Return the changes that the failed view of a training makes; ``poll`` is the list that does not show it."""
        self._scopes.add_training(poll, ref)
        last_good_at = self._cache.poll(ref.subject).good_asked_at
        return self._failed(poll.service.account, ref.watch_subject, poll_failure, last_good_at, now)

    def viewed(self, poll: Poll, refs: Sequence[TrainingRef], now: datetime) -> IncidentUpdate:
        """Return the changes that answered views make, of trainings that the list of ``poll`` does not show."""
        if not refs:
            return IncidentUpdate()
        account = poll.service.account
        subjects = [ref.watch_subject for ref in refs]
        return self._update(account, self._trackers[account].succeeded(subjects, now), now)

    def _failed(
        self, account: str, subject: str, poll_failure: PollFailure, last_good_at: datetime | None, now: datetime
    ) -> IncidentUpdate:
        failure = failure_of(subject, poll_failure)
        watched = len(self._services.get(account, ()))
        return self._update(account, self._trackers[account].failed(failure, last_good_at, watched, now), now)

    def updates_failed(self, account: str, failure: PollFailure, now: datetime) -> IncidentUpdate:
        """Return the changes that a failed call about an interval service makes.

        One incident serves all services of the account: most causes, such as a missing permission, concern them all.
        """
        subject = updates_subject(account)
        tracker = self._updates.get(account)
        if tracker is None:
            return IncidentUpdate()
        return self._update(account, tracker.failed(failure_of(subject, failure), None, 1, now), now)

    def updates_answered(self, account: str, now: datetime) -> IncidentUpdate:
        """Return the changes that answers about an interval service make, where no other service has failed."""
        tracker = self._updates.get(account)
        if tracker is None:
            return IncidentUpdate()
        return self._update(account, tracker.succeeded([updates_subject(account)], now), now)

    def missed(self, poll: Poll, now: datetime) -> IncidentUpdate:
        """Return the changes that the absence of a known training makes; AiTEMS answered, so it is a good poll."""
        account = poll.service.account
        return self._update(account, self._trackers[account].succeeded([self.subject_of(poll)], now), now)

    def orphans(self) -> tuple[IncidentRow, ...]:
        """Close the incidents of subjects that are not watched any more, without an event; return the rows to write."""
        closed = []
        for incident in self._cache.open_incidents():
            if not self._is_watched(incident):
                self._drop(incident)
                seq = self._cache.incident_row(incident.subject).seq
                closed.append(IncidentRow(subject=incident.subject, seq=seq, incident=None))
        return tuple(closed)

    def _is_watched(self, incident: Incident) -> bool:
        account = account_of(incident.subject)
        if account not in self._trackers:
            return False
        if incident.subject == updates_subject(account):
            return account in self._updates
        if incident.subject in self._scopes or incident.subject == clock_subject(account):
            return not self._is_gone(incident)
        # The services of a pattern are unknown until the first list of services. That list ends their incidents, too.
        service, poll = service_of(incident.subject), self._discovering.get(account)
        return service is not None and poll is not None and discovered(poll, service, None) is not None

    def _is_gone(self, incident: Incident) -> bool:
        """Return whether an incident is about a training that is gone; an event has announced that."""
        ref = self._scopes.training_of(incident.subject)
        known = None if ref is None else self._cache.training(ref)
        return known is not None and known.gone

    def ended(self, services: Iterable[ServiceRef]) -> IncidentUpdate:
        """Return the end of the incidents of services that are gone; the event about that says so."""
        gone = set(services)
        changes = [
            IncidentChange(kind=IncidentChangeKind.ABSORBED, incident=incident, announced=False)
            for incident in self._cache.open_incidents()
            if service_of(incident.subject) in gone
        ]
        rows = (self._cache.incident_row(change.incident.subject) for change in changes)
        return IncidentUpdate(changes=tuple(changes), incident_rows=tuple(replace(row, incident=None) for row in rows))

    def forget(self, service: ServiceRef) -> None:
        """Forget a service that is gone."""
        self._services.get(service.account, set()).discard(service)
        for subject in self._scopes.remove_service(service):
            if (tracker := self._trackers.get(service.account)) is not None:
                tracker.forget(subject)

    def _drop(self, incident: Incident) -> None:
        account = account_of(incident.subject)
        if account in self._trackers:
            change = IncidentChange(kind=IncidentChangeKind.ABSORBED, incident=incident, announced=False)
            self._tracker_of(account, incident).apply([change])

    def succeeded(self, poll: Poll, shown: Iterable[TrainingRef], now: datetime) -> IncidentUpdate:
        """Return the changes that a good poll makes; ``shown`` are the trainings in its result."""
        account = poll.service.account
        subjects = (
            [self.subject_of(poll)] if poll.training is None else [poll.training.watch_subject, poll.service.subject]
        )
        tracker = self._trackers[account]
        counted = {subject for subject in tracker.counted if subject.startswith(WATCH_PREFIX)} - set(subjects)
        if counted:
            subjects += [subject for ref in shown if (subject := ref.watch_subject) in counted]
        changes = tracker.succeeded(subjects, now, of_services=poll.discovers)
        return self._update(account, changes, now)

    def dated(self, poll: Poll, server_date: datetime | None, now: datetime) -> IncidentUpdate:
        """Return the changes that the server's ``Date`` makes.

        Args:
            poll: the poll.
            server_date: the ``Date`` of its response, if there was one.
            now: the time of the response by the wall clock.
        """
        account = poll.service.account
        clocks, subject = self._clocks[account], clock_subject(account)
        if server_date is None:
            self._clock_trust.note_undated()
            return IncidentUpdate()
        skew = (server_date - now).total_seconds()
        if abs(skew) <= MAX_CLOCK_SKEW_SECONDS:
            self._clock_trust.note_agreement()
            return self._update(account, clocks.succeeded([subject], now), now)
        self._clock_trust.note_disagreement()
        failure = Failure(
            subject=subject,
            cause=Cause.CLOCK,
            detail=f"the server's clock is {skew:+.0f} s from ours",
            evidence=Evidence(server_ahead_seconds=round(skew)),
            asked_at=now,
            ended_at=now,
        )
        return self._update(account, clocks.failed(failure, None, 1, now), now)

    def dated_failure(self, poll: Poll, failure: PollFailure) -> IncidentUpdate:
        """Return the changes that the ``Date`` of a refusal makes; without an answer there are none."""
        if failure.http_status is None:
            return IncidentUpdate()
        if failure.cause is Cause.CLOCK:
            # The incident about the refusal has this cause already.
            self._clock_trust.note_disagreement()
            return IncidentUpdate()
        return self.dated(poll, failure.server_date, failure.ended_at)

    def apply(self, poll: Poll, update: IncidentUpdate) -> None:
        """Adopt the changes of an update that was written."""
        for change in update.changes:
            self._tracker_of(poll.service.account, change.incident).apply([change])

    def _tracker_of(self, account: str, incident: Incident) -> IncidentTracker:
        if incident.subject == updates_subject(account):
            return self._updates.get(account) or self._trackers[account]
        return (self._clocks if incident.subject == clock_subject(account) else self._trackers)[account]

    def _update(self, account: str, changes: Sequence[IncidentChange], now: datetime) -> IncidentUpdate:
        adopted, events, incident_rows = [], [], []
        for change in changes:
            subject = change.incident.subject
            seq = self._cache.incident_row(subject).seq + change.announced
            change = with_id(change, self._cache.epoch, seq)  # noqa: PLW2901 - the same change, with its id
            open_still = change.kind not in {IncidentChangeKind.CLOSED, IncidentChangeKind.ABSORBED}
            incident_rows.append(
                IncidentRow(subject=subject, seq=seq, incident=change.incident if open_still else None)
            )
            if change.announced:
                events.append(describe(change, self._scope_of(subject, account), self._cache.epoch, seq, now))
            adopted.append(change)
        return IncidentUpdate(changes=tuple(adopted), events=tuple(events), incident_rows=tuple(incident_rows))

    def _scope_of(self, subject: str, account: str) -> IncidentScope:
        is_account = subject == self._trackers[account].subject
        return self._scopes.of(subject, account, len(self._services.get(account, ())) if is_account else 0)


def _remember(tracker: IncidentTracker, subject: str, state: PollState) -> None:
    if state.cause is not None and state.failed_since is not None:
        streak = Streak(failures=state.failures, since=state.failed_since, cause=state.cause, detail=state.detail or "")
        tracker.remember(subject, streak)
