"""When a streak of failed polls becomes an incident, which subjects it covers, and when it ends.

Failed polls in a row are counted for each subject: a service, or a single watched training that was never found. A
subject is unreachable after ``Thresholds.failures`` failures and ``Thresholds.after``. The account is unreachable when
one of its subjects is, two services have failed, and the account has answered nothing since the first of these
failures. Where only one service is watched, two minutes of failures suffice. The account's incident absorbs those of
its services.

One cause is one incident. So where several services are watched, the incident of a service waits for an answer of the
account since its first failure: until then the account may be the one that fails. A list of services is no such answer
while a service fails: AiTEMS may show its services and none of their trainings. The failures of a service with an
incident count anew once their kind differs from that incident: its update waits for such an answer, too, or the
account's incident absorbs it.

A different cause updates an incident. For that of the account, the failures of all its services count together: while
it is open, each of them is polled rarely. Only good polls close it. A training keeps its recorded status during an
incident, because a poll failed and not the training.

``IncidentTracker`` serves one account. Its counts are in memory and are restored from the stored polls after a restart;
its incidents are stored. Its methods decide and count; ``apply`` adopts the changes after they were written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from watcher.core.incidents.changes import continue_incident, count_failure, note_change, open_incident, previous_cause
from watcher.core.incidents.model import (
    Failure,
    Incident,
    IncidentChange,
    IncidentChangeKind,
    Streak,
    Thresholds,
    account_subject,
    kind_of,
)
from watcher.core.polling.result import Cause


class IncidentTracker:
    """The open incidents of one account, and the counts that begin and end them."""

    def __init__(self, account: str, thresholds: Thresholds, incidents: Iterable[Incident] = ()) -> None:
        self.subject = account_subject(account)
        self._thresholds = thresholds
        self._incidents = {incident.subject: incident for incident in incidents}
        self._streaks: dict[str, Streak] = {}
        self._account_streak: Streak | None = None
        """The failed polls of all subjects since the account's last answer."""
        self._last_good_at: datetime | None = None
        self._failing_subjects: dict[str, datetime] = {}
        """Subjects that failed since the account's last answer, each with the start of its first failure since then."""
        self._held: dict[str, tuple[Streak, datetime | None]] = {}
        """Subjects whose incident, or its update, waits for an answer of the account.

        Each has the end of its last good poll.
        """
        self._paused_until: datetime | None = None
        """The latest end of a pause that a failed poll made; a pause is of the whole account."""

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The open incidents."""
        return tuple(self._incidents.values())

    @property
    def counted(self) -> frozenset[str]:
        """The subjects with failures in a row, or with an open incident."""
        return frozenset((*self._streaks, *self._incidents))

    def incident_over(self, subject: str) -> Incident | None:
        """Return the open incident that includes ``subject``, be it that of the account."""
        return self._incidents.get(self.subject) or self._incidents.get(subject)

    def remember(self, subject: str, streak: Streak) -> None:
        """Restore a streak that was counted before a restart."""
        self._streaks[subject] = streak
        if streak.cause is not Cause.NOT_FOUND:
            self._failing_subjects[subject] = streak.since

    def remember_good(self, last_good_at: datetime | None) -> None:
        """Restore the time of a good poll of the account before a restart."""
        known = [time for time in (self._last_good_at, last_good_at) if time is not None]
        self._last_good_at = max(known, default=None)

    def failed(
        self, failure: Failure, last_good_at: datetime | None, watched: int, now: datetime
    ) -> list[IncidentChange]:
        """Count a failed poll and return the changes of incidents.

        Args:
            failure: the failed poll.
            last_good_at: the end of the subject's last good poll, if any.
            watched: the number of watched services of the account.
            now: the present, UTC.
        """
        if failure.cause is Cause.NOT_FOUND:
            reached = self.missing(failure.subject, now)
        else:
            self._failing_subjects.setdefault(failure.subject, failure.asked_at)
            reached = []
        streak = self._count(failure)
        changes = [*reached, *self._changes_after(failure.subject, streak, last_good_at, watched, now)]
        paused_until = self._pause(failure, now)
        return [replace(change, paused_until=paused_until) for change in changes]

    def missing(self, subject: str, now: datetime) -> list[IncidentChange]:
        """Return the changes by a 404: that is an answer too, as AiTEMS was reached and accepted the key."""
        return [*self._answered(now, {subject}), *self._proven(now, {subject})]

    def succeeded(self, subjects: Iterable[str], now: datetime, *, of_services: bool = False) -> list[IncidentChange]:
        """Count a good poll of these subjects and return the changes of incidents.

        Args:
            subjects: the polled service, or the list of services, and the trainings in the answer.
            now: the present, UTC.
            of_services: whether the answer is a list of services.
        """
        answered = tuple(subjects)
        changes = [] if of_services and self._any_fails_but(answered) else self._answered(now, answered)
        for subject in answered:
            self._streaks.pop(subject, None)
            self._held.pop(subject, None)
            incident = self._incidents.get(subject)
            changes += [] if incident is None else [self._good_poll(incident)]
        return [*changes, *self._proven(now, answered)]

    def wants_evidence(self, subject: str, watched: int) -> bool:
        """Return whether the next failures of a subject would open an incident, be it the account's or its own.

        Polls of the account's other services then tell which.
        """
        streak = self._streaks.get(subject)
        if streak is None or self.subject in self._incidents or self._is_announced(subject, streak):
            return False
        counting = self._counting(subject, streak)
        return counting.failures >= self._thresholds.failures - 1 and not self._is_own_fault(counting, watched)

    def forget(self, subject: str) -> None:
        """Forget the failures of a subject that is polled no more."""
        self._streaks.pop(subject, None)
        self._failing_subjects.pop(subject, None)
        self._held.pop(subject, None)

    def apply(self, changes: Iterable[IncidentChange]) -> None:
        """Adopt changes after they were written."""
        for change in changes:
            self._release(change)
            if change.kind in {IncidentChangeKind.CLOSED, IncidentChangeKind.ABSORBED}:
                self._incidents.pop(change.incident.subject, None)
            else:
                self._incidents[change.incident.subject] = change.incident

    def _pause(self, failure: Failure, now: datetime) -> datetime | None:
        """Return the end of the account's pause; ``None`` where it does not pause any more."""
        known = [time for time in (self._paused_until, failure.paused_until) if time is not None]
        self._paused_until = max((time for time in known if time > now), default=None)
        return self._paused_until

    def _release(self, change: IncidentChange) -> None:
        if change.incident.subject == self.subject:
            self._held.clear()
        elif change.kind is not IncidentChangeKind.NOTED:
            self._held.pop(change.incident.subject, None)

    def _count(self, failure: Failure) -> Streak:
        streak = self._streaks[failure.subject] = count_failure(self._streaks.get(failure.subject), failure)
        if failure.cause is not Cause.NOT_FOUND:
            self._account_streak = count_failure(self._account_streak, failure)
        return streak

    def _any_fails_but(self, subjects: Collection[str]) -> bool:
        return bool(self._failing_but(subjects))

    def _failing_but(self, subjects: Collection[str]) -> frozenset[str]:
        return frozenset(
            subject
            for subject, streak in self._streaks.items()
            if subject not in subjects and streak.cause is not Cause.NOT_FOUND
        )

    def _answered(self, now: datetime, answered: Collection[str]) -> list[IncidentChange]:
        self._last_good_at = now
        self._failing_subjects.clear()
        self._account_streak = None
        account = self._incidents.get(self.subject)
        if account is None:
            return []
        change = self._good_poll(account)
        if change.kind is not IncidentChangeKind.CLOSED:
            return [change]
        # The end says nothing about a service that has not answered yet; its own incident may follow.
        ended = account.covers - self._failing_but(answered)
        return [replace(change, incident=replace(change.incident, covers=ended))]

    def _good_poll(self, incident: Incident) -> IncidentChange:
        counted = replace(incident, good_polls=incident.good_polls + 1)
        enough = counted.good_polls >= self._thresholds.good_polls
        return IncidentChange(
            kind=IncidentChangeKind.CLOSED if enough else IncidentChangeKind.NOTED, incident=counted, announced=enough
        )

    def _changes_after(
        self, subject: str, streak: Streak, last_good_at: datetime | None, watched: int, now: datetime
    ) -> list[IncidentChange]:
        account = self._incidents.get(self.subject)
        if account is not None and streak.cause is not Cause.NOT_FOUND:
            return self._updated(account, self._account_streak or streak)
        counting = self._counting(subject, streak)
        if self._account_is_unreachable(counting, watched, now):
            return self._open_account(counting, watched, now)
        incident = self._incidents.get(subject)
        if incident is None and (account is not None or not self._is_unreachable(streak, now)):
            return []
        is_announced = self._is_announced(subject, streak)
        if is_announced:
            # An update that waited for an answer is no longer true.
            self._held.pop(subject, None)
        elif not self._is_own_fault(counting, watched):
            self._held[subject] = (streak, last_good_at)
            return [] if incident is None else note_change(incident, replace(incident, good_polls=0))
        return (
            [open_incident(subject, streak, last_good_at, now)] if incident is None else self._updated(incident, streak)
        )

    def _is_announced(self, subject: str, streak: Streak) -> bool:
        """Return whether an incident of the subject itself has the kind of its latest failures."""
        incident = self._incidents.get(subject)
        return incident is not None and incident.kind is kind_of(streak.cause)

    def _counting(self, subject: str, streak: Streak) -> Streak:
        """Return the failures that count for the account: those since the kind differs from the subject's incident."""
        is_new = subject in self._incidents and not self._is_announced(subject, streak)
        return streak.of_latest_kind if is_new else streak

    def _is_own_fault(self, streak: Streak, watched: int) -> bool:
        """Return whether a service fails and not the account: AiTEMS has answered something since the first failure."""
        return streak.cause is Cause.NOT_FOUND or watched <= 1 or self._answered_since(streak)

    def _answered_since(self, streak: Streak) -> bool:
        # Compared with the end: an answer that was under way when the outage began proves nothing.
        return self._last_good_at is not None and self._last_good_at > (streak.first_ended_at or streak.since)

    def _proven(self, now: datetime, answered: Collection[str]) -> list[IncidentChange]:
        """Return the incidents that waited for this answer of the account."""
        if self.subject in self._incidents:
            return []
        changes: list[IncidentChange] = []
        for subject, (streak, last_good_at) in self._held.items():
            if subject in answered or not self._answered_since(self._counting(subject, streak)):
                continue
            incident = self._incidents.get(subject)
            changes += (
                [open_incident(subject, streak, last_good_at, now)]
                if incident is None
                else self._updated(incident, streak)
            )
        return changes

    def _is_unreachable(self, streak: Streak, now: datetime) -> bool:
        enough = streak.failures >= self._thresholds.failures
        return enough and now - streak.since >= self._thresholds.after

    def _account_is_unreachable(self, streak: Streak, watched: int, now: datetime) -> bool:
        if streak.cause is Cause.NOT_FOUND or not self._is_unreachable(streak, now):
            return False
        first = min(self._failing_subjects.values(), default=now)
        # A service whose poll is not due yet is no evidence for or against the account.
        alone = watched <= 1 and now - first >= self._thresholds.account_after
        several = len(self._failing_subjects) >= self._thresholds.account_services
        return alone or (several and not self._answered_since(streak))

    def _open_account(self, streak: Streak, watched: int, now: datetime) -> list[IncidentChange]:
        absorbed = [item for item in self._incidents.values() if item.cause is not Cause.NOT_FOUND]
        first = min(self._failing_subjects.values(), default=streak.since)
        opened = open_incident(self.subject, replace(streak, since=first), self._last_good_at, now)
        # The announced incident of the only service, or of the list of services, says the same: it goes on.
        announced = not (watched <= 1 and absorbed)
        incident = replace(
            opened.incident if announced else continue_incident(opened.incident, absorbed[0]),
            last_good_at=self._last_good_at
            or max((item.last_good_at for item in absorbed if item.last_good_at), default=None),
            covers=frozenset(item.subject for item in absorbed),
        )
        ended = [IncidentChange(kind=IncidentChangeKind.ABSORBED, incident=item, announced=False) for item in absorbed]
        return [*ended, replace(opened, incident=incident, announced=announced)]

    def _updated(self, incident: Incident, streak: Streak) -> list[IncidentChange]:
        """Return the change by the latest failure, announced once another kind has lasted ``Thresholds.failures``.

        Every further change takes twice as many, as the services of one account may fail in two ways at once.
        """
        other_kind = kind_of(streak.cause) is not incident.kind
        if other_kind and streak.same_kind >= self._thresholds.failures * (1 if incident.previous is None else 2):
            updated = replace(
                incident,
                cause=streak.cause,
                detail=streak.detail,
                evidence=streak.evidence,
                previous=previous_cause(incident, streak),
                good_polls=0,
            )
            return [IncidentChange(kind=IncidentChangeKind.UPDATED, incident=updated)]
        noted = replace(incident, good_polls=0)
        if not other_kind and streak.cause is not incident.cause:
            noted = replace(noted, cause=streak.cause, detail=streak.detail, evidence=streak.evidence)
        return note_change(incident, noted)
