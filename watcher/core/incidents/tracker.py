"""When a streak of failed polls becomes an incident, which subjects it covers, and when it ends.

Failed polls in a row are counted for each subject: a service, or a single watched training that was never found. A
subject is unreachable after ``Thresholds.failures`` failures and ``Thresholds.after``. The account is unreachable when
one of its subjects is, and two services have failed since the account last answered. Where only one service is watched,
two minutes of failures suffice. The account's incident absorbs those of its services.

A different cause updates an incident. Only good polls close it. A training keeps its recorded status during an
incident, because a poll failed and not the training.

``IncidentTracker`` serves one account. Its counts are in memory and are restored from the stored polls after a restart;
its incidents are stored. Its methods decide and count; ``apply`` adopts the changes after they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from watcher.core.event import Kind, PreviousCause
from watcher.core.polling.result import Cause

KINDS: Final[Mapping[Cause, Kind]] = MappingProxyType(
    {
        Cause.KEY: Kind.DENIED,
        Cause.PERMISSION: Kind.DENIED,
        Cause.QUOTA: Kind.THROTTLED,
        Cause.THROTTLE: Kind.THROTTLED,
        Cause.RATE: Kind.THROTTLED,
        Cause.CLOCK: Kind.CLOCK_SKEW,
        Cause.NOT_FOUND: Kind.NOT_FOUND,
    }
)
"""The kind of an incident by its cause; every other cause is ``unreachable``."""


MAX_CLOCK_SKEW_SECONDS: Final = 60.0
"""The largest accepted difference between the server's clock and this machine's.

A ``Date`` header has whole seconds and ages in transit. AiTEMS rejects a signature from five minutes on.
"""


def kind_of(cause: Cause) -> Kind:
    """Return the kind of an incident with this cause."""
    return KINDS.get(cause, Kind.UNREACHABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When an incident begins and ends."""

    failures: int = 3
    """Failed polls in a row that begin an incident."""
    after: timedelta = timedelta(minutes=1)
    """The shortest time since the first of them."""
    good_polls: int = 2
    """Good polls that end an incident."""
    account_services: int = 2
    """Failing services that make an account unreachable."""
    account_after: timedelta = timedelta(minutes=2)
    """The time of failures that makes an account with one watched service unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed poll of a subject."""

    subject: str
    """The polled service, or the training that was never found."""
    cause: Cause
    detail: str
    asked_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Failed polls of one subject in a row."""

    failures: int
    since: datetime
    """Start of the first of them."""
    cause: Cause
    detail: str
    same_kind: int = 1
    """The number of latest failures whose causes make the same kind of incident."""
    same_since: datetime | None = None
    """Start of the first of them; ``None`` where it was before a restart."""
    latest: Failure | None = None
    """The failure that was counted last; ``None`` for a streak from before a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time during which an account, a service or a training cannot be polled."""

    id: str
    subject: str
    """The account, service or training, as in the store."""
    cause: Cause
    detail: str
    since: datetime
    """Start of the first failed poll."""
    last_good_at: datetime | None
    """The end of the last good poll; ``None`` where there was none."""
    opened_at: datetime
    previous: PreviousCause | None = None
    """The cause before the present one, where its kind has changed."""
    covers: frozenset[str] = field(default_factory=frozenset)
    """Subjects of announced incidents that this one absorbed."""
    good_polls: int = 0
    """Good polls since the last failure; ``Thresholds.good_polls`` of them close the incident."""

    @property
    def kind(self) -> Kind:
        """The kind of the events about its start and updates."""
        return kind_of(self.cause)


class IncidentChangeKind(StrEnum):
    """The kinds of changes of an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    ABSORBED = "absorbed"
    """The incident of the account absorbs it, without an event of its own."""
    NOTED = "noted"
    """A change that a restart needs and that is not announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChange:
    """A change of an incident; ``incident`` is its state after the change."""

    kind: IncidentChangeKind
    incident: Incident
    announced: bool = True
    """Whether it makes an event."""


def account_subject(account: str) -> str:
    """Return the subject of an account, e.g. ``account:main``."""
    return f"account:{quote(account, safe='')}"


class IncidentTracker:
    """The open incidents of one account, and the counts that begin and end them."""

    def __init__(self, account: str, thresholds: Thresholds, incidents: Iterable[Incident] = ()) -> None:
        self.subject = account_subject(account)
        self._thresholds = thresholds
        self._incidents = {incident.subject: incident for incident in incidents}
        self._streaks: dict[str, Streak] = {}
        self._last_good_at: datetime | None = None
        self._failing_subjects: dict[str, datetime] = {}
        """Subjects that failed since the account's last answer, each with the start of its first failure since then."""

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The open incidents."""
        return tuple(self._incidents.values())

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
            # A 404 is an answer too: AiTEMS was reached and accepted the key.
            reached = self._answered(now)
        else:
            self._failing_subjects.setdefault(failure.subject, failure.asked_at)
            reached = []
        streak = self._count(failure)
        return [*reached, *self._changes_after(failure.subject, streak, last_good_at, watched, now)]

    def succeeded(self, subjects: Iterable[str], now: datetime) -> list[IncidentChange]:
        """Count a good poll of these subjects and return the changes of incidents."""
        changes = self._answered(now)
        for subject in subjects:
            self._streaks.pop(subject, None)
            incident = self._incidents.get(subject)
            changes += [] if incident is None else [self._good_poll(incident)]
        return changes

    def forget(self, subject: str) -> None:
        """Forget the failures of a subject that is polled no more."""
        self._streaks.pop(subject, None)
        self._failing_subjects.pop(subject, None)

    def apply(self, changes: Iterable[IncidentChange]) -> None:
        """Adopt changes after they were written."""
        for change in changes:
            if change.kind in {IncidentChangeKind.CLOSED, IncidentChangeKind.ABSORBED}:
                self._incidents.pop(change.incident.subject, None)
            else:
                self._incidents[change.incident.subject] = change.incident

    def _count(self, failure: Failure) -> Streak:
        before = self._streaks.get(failure.subject)
        if before is not None and before.latest == failure:
            # The same failure again, because the write of its changes failed.
            return before
        if before is None:
            streak = Streak(
                failures=1, since=failure.asked_at, cause=failure.cause, detail=failure.detail, latest=failure
            )
        else:
            is_same = kind_of(before.cause) is kind_of(failure.cause)
            streak = replace(
                before,
                failures=before.failures + 1,
                cause=failure.cause,
                detail=failure.detail,
                same_kind=before.same_kind + 1 if is_same else 1,
                same_since=before.same_since if is_same else failure.asked_at,
                latest=failure,
            )
        self._streaks[failure.subject] = streak
        return streak

    def _answered(self, now: datetime) -> list[IncidentChange]:
        self._last_good_at = now
        self._failing_subjects.clear()
        account = self._incidents.get(self.subject)
        return [] if account is None else [self._good_poll(account)]

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
            return self._updated(account, streak)
        if self._account_is_unreachable(streak, watched, now):
            return self._open_account(streak, watched, now)
        incident = self._incidents.get(subject)
        if incident is not None:
            return self._updated(incident, streak)
        if account is None and self._is_unreachable(streak, now):
            return [_opened(subject, streak, last_good_at, now)]
        return []

    def _is_unreachable(self, streak: Streak, now: datetime) -> bool:
        enough = streak.failures >= self._thresholds.failures
        return enough and now - streak.since >= self._thresholds.after

    def _account_is_unreachable(self, streak: Streak, watched: int, now: datetime) -> bool:
        if streak.cause is Cause.NOT_FOUND or not self._is_unreachable(streak, now):
            return False
        first = min(self._failing_subjects.values(), default=now)
        # A service whose poll is not due yet is no evidence for or against the account.
        alone = watched <= 1 and now - first >= self._thresholds.account_after
        return len(self._failing_subjects) >= self._thresholds.account_services or alone

    def _open_account(self, streak: Streak, watched: int, now: datetime) -> list[IncidentChange]:
        absorbed = [item for item in self._incidents.values() if item.cause is not Cause.NOT_FOUND]
        first = min(self._failing_subjects.values(), default=streak.since)
        opened = _opened(self.subject, replace(streak, since=first), self._last_good_at, now)
        # The announced incident of the only watched service says the same: the account's incident keeps its id.
        announced = not (watched == 1 and absorbed)
        incident = replace(
            opened.incident,
            id=opened.incident.id if announced else absorbed[0].id,
            last_good_at=self._last_good_at
            or max((item.last_good_at for item in absorbed if item.last_good_at), default=None),
            covers=frozenset(item.subject for item in absorbed),
        )
        ended = [IncidentChange(kind=IncidentChangeKind.ABSORBED, incident=item, announced=False) for item in absorbed]
        return [*ended, replace(opened, incident=incident, announced=announced)]

    def _updated(self, incident: Incident, streak: Streak) -> list[IncidentChange]:
        """Return the change by the latest failure, announced once another kind has lasted ``Thresholds.failures``."""
        other_kind = kind_of(streak.cause) is not incident.kind
        if other_kind and streak.same_kind >= self._thresholds.failures:
            updated = replace(
                incident, cause=streak.cause, detail=streak.detail, previous=_previous(incident, streak), good_polls=0
            )
            return [IncidentChange(kind=IncidentChangeKind.UPDATED, incident=updated)]
        cause = incident.cause if other_kind else streak.cause
        if incident.good_polls == 0 and cause is incident.cause:
            return []
        return [
            IncidentChange(
                kind=IncidentChangeKind.NOTED, incident=replace(incident, cause=cause, good_polls=0), announced=False
            )
        ]


def _previous(incident: Incident, streak: Streak) -> PreviousCause | None:
    latest = None if streak.latest is None else streak.latest.asked_at
    until = streak.same_since or latest
    if until is None:
        return None
    return PreviousCause(cause=incident.cause.value, detail=incident.detail, until=max(until, incident.since))


def _opened(subject: str, streak: Streak, last_good_at: datetime | None, now: datetime) -> IncidentChange:
    incident = Incident(
        id="",
        subject=subject,
        cause=streak.cause,
        detail=streak.detail,
        since=streak.since,
        last_good_at=last_good_at,
        opened_at=now,
    )
    return IncidentChange(kind=IncidentChangeKind.OPENED, incident=incident)
