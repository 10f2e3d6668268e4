"""What cannot be seen: when a streak of failed looks becomes an incident, what it covers, and when it ends.

Theory of operation. Failed looks are counted in a row for each subject: a service, or a training that is watched by
itself and was never found. A subject is dark after so many failures and so long a time. When nothing of the account
was answered since, and at least two services (or two minutes) say so, it is the account that is dark: its incident
takes over those of its services. A change of cause updates an incident. Only answers close it, and its end names
what it began with. A training keeps its recorded status meanwhile: a look fails, not a training.

``IncidentTracker`` serves one account. Its counts live in memory and are restored from the polls after a restart; its
incidents are stored. Its methods decide and change counts only; ``apply`` adopts changes that were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from watcher.core.event import Kind
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
    """Return the kind of incident that a cause makes."""
    return KINDS.get(cause, Kind.UNREACHABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When an incident begins and ends."""

    failures: int = 3
    """Failed looks in a row."""
    after: timedelta = timedelta(minutes=1)
    """Time since the first of them."""
    good_polls: int = 2
    """Answers that end it."""
    account_services: int = 2
    account_after: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed look."""

    subject: str
    """The service that was asked about, or the training that was never found."""
    cause: Cause
    detail: str
    asked_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Failed looks in a row at one subject."""

    failures: int
    since: datetime
    """Start of the first of them."""
    cause: Cause
    detail: str
    same_kind: int = 1
    """How many of the latest are of one kind."""
    latest: Failure | None = None
    """The one that was counted last; ``None`` where that was before a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time in which something cannot be seen."""

    id: str
    subject: str
    """An account, a service, or a training, as in the store."""
    cause: Cause
    detail: str
    since: datetime
    """Start of the first failed look."""
    last_good_at: datetime | None
    """When it was last seen; ``None`` where it never was."""
    opened_at: datetime
    covers: frozenset[str] = field(default_factory=frozenset)
    """Subjects that were told before, and that it took over."""
    good_polls: int = 0
    """Answers since the last failure; so many that they end it close it."""

    @property
    def kind(self) -> Kind:
        """The kind of its events."""
        return kind_of(self.cause)


class IncidentChangeKind(StrEnum):
    """What became of an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    ABSORBED = "absorbed"
    """Taken over by the account's, without a word of its own."""
    NOTED = "noted"
    """Something that a restart should know and nobody needs to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChange:
    """A change of an incident; ``incident`` is as it is after it."""

    kind: IncidentChangeKind
    incident: Incident
    announced: bool = True
    """Whether it makes an event."""


def account_subject(account: str) -> str:
    """Return an account's key in the store, e.g. ``account:main``."""
    return f"account:{quote(account, safe='')}"


class IncidentTracker:
    """What one account shows of itself."""

    def __init__(self, account: str, thresholds: Thresholds, incidents: Iterable[Incident] = ()) -> None:
        self.subject = account_subject(account)
        self._thresholds = thresholds
        self._incidents = {incident.subject: incident for incident in incidents}
        self._streaks: dict[str, Streak] = {}
        self._last_good_at: datetime | None = None
        self._failing_subjects: dict[str, datetime] = {}
        """Subjects that failed since the account's last answer, with the start of the first of those failures."""

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Those that are open."""
        return tuple(self._incidents.values())

    def incident_over(self, subject: str) -> Incident | None:
        """Return the open incident that explains why ``subject`` cannot be seen."""
        return self._incidents.get(self.subject) or self._incidents.get(subject)

    def remember(self, subject: str, streak: Streak) -> None:
        """Take up a streak that was counted before a restart."""
        self._streaks[subject] = streak
        if streak.cause is not Cause.NOT_FOUND:
            self._failing_subjects[subject] = streak.since

    def remember_good(self, last_good_at: datetime | None) -> None:
        """Take up when something of the account was seen before a restart."""
        known = [moment for moment in (self._last_good_at, last_good_at) if moment is not None]
        self._last_good_at = max(known, default=None)

    def failed(
        self, failure: Failure, last_good_at: datetime | None, watched: int, now: datetime
    ) -> list[IncidentChange]:
        """Count a failed look and return what follows.

        Args:
            failure: the look.
            last_good_at: when the subject was last seen, if ever.
            watched: how many services of the account are watched.
            now: the present, UTC.
        """
        if failure.cause is Cause.NOT_FOUND:
            # An answer all the same: AiTEMS was reached and let us in.
            reached = self._answered(now)
        else:
            self._failing_subjects.setdefault(failure.subject, failure.asked_at)
            reached = []
        streak = self._count(failure)
        return [*reached, *self._worsened(failure.subject, streak, last_good_at, watched, now)]

    def succeeded(self, subjects: Iterable[str], now: datetime) -> list[IncidentChange]:
        """Note a counting answer about these subjects and return what follows."""
        changes = self._answered(now)
        for subject in subjects:
            self._streaks.pop(subject, None)
            mine = self._incidents.get(subject)
            changes += [] if mine is None else [self._better(mine)]
        return changes

    def apply(self, changes: Iterable[IncidentChange]) -> None:
        """Take over turns that were written."""
        for change in changes:
            if change.kind in {IncidentChangeKind.CLOSED, IncidentChangeKind.ABSORBED}:
                self._incidents.pop(change.incident.subject, None)
            else:
                self._incidents[change.incident.subject] = change.incident

    def _count(self, failure: Failure) -> Streak:
        before = self._streaks.get(failure.subject)
        if before is not None and before.latest == failure:
            # Judged again, since what followed from it could not be kept.
            return before
        if before is None:
            streak = Streak(
                failures=1, since=failure.asked_at, cause=failure.cause, detail=failure.detail, latest=failure
            )
        else:
            same = before.same_kind + 1 if kind_of(before.cause) is kind_of(failure.cause) else 1
            streak = replace(
                before,
                failures=before.failures + 1,
                cause=failure.cause,
                detail=failure.detail,
                same_kind=same,
                latest=failure,
            )
        self._streaks[failure.subject] = streak
        return streak

    def _answered(self, now: datetime) -> list[IncidentChange]:
        self._last_good_at = now
        self._failing_subjects.clear()
        account = self._incidents.get(self.subject)
        return [] if account is None else [self._better(account)]

    def _better(self, incident: Incident) -> IncidentChange:
        better = replace(incident, good_polls=incident.good_polls + 1)
        enough = better.good_polls >= self._thresholds.good_polls
        return IncidentChange(
            kind=IncidentChangeKind.CLOSED if enough else IncidentChangeKind.NOTED, incident=better, announced=enough
        )

    def _worsened(
        self, subject: str, streak: Streak, last_good_at: datetime | None, watched: int, now: datetime
    ) -> list[IncidentChange]:
        account = self._incidents.get(self.subject)
        if account is not None and streak.cause is not Cause.NOT_FOUND:
            return self._changed(account, streak)
        if self._account_is_unreachable(streak, watched, now):
            return self._open_account(streak, watched, now)
        mine = self._incidents.get(subject)
        if mine is not None:
            return self._changed(mine, streak)
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
        # A service that is merely not due says nothing for or against the account.
        alone = watched <= 1 and now - first >= self._thresholds.account_after
        return len(self._failing_subjects) >= self._thresholds.account_services or alone

    def _open_account(self, streak: Streak, watched: int, now: datetime) -> list[IncidentChange]:
        absorbed = [item for item in self._incidents.values() if item.cause is not Cause.NOT_FOUND]
        first = min(self._failing_subjects.values(), default=streak.since)
        opened = _opened(self.subject, replace(streak, since=first), self._last_good_at, now)
        # Where one service is all there is, its incident has told everything: the account's takes over its name.
        announced = not (watched == 1 and absorbed)
        incident = replace(
            opened.incident,
            id=opened.incident.id if announced else absorbed[0].id,
            last_good_at=self._last_good_at
            or max((item.last_good_at for item in absorbed if item.last_good_at), default=None),
            covers=frozenset(item.subject for item in absorbed),
        )
        gone = [IncidentChange(kind=IncidentChangeKind.ABSORBED, incident=item, announced=False) for item in absorbed]
        return [*gone, replace(opened, incident=incident, announced=announced)]

    def _changed(self, incident: Incident, streak: Streak) -> list[IncidentChange]:
        """Note what the latest failure says; tell it when another kind of trouble has come to stay."""
        other_kind = kind_of(streak.cause) is not incident.kind
        if other_kind and streak.same_kind >= self._thresholds.failures:
            updated = replace(incident, cause=streak.cause, detail=streak.detail, good_polls=0)
            return [IncidentChange(kind=IncidentChangeKind.UPDATED, incident=updated)]
        cause = incident.cause if other_kind else streak.cause
        if incident.good_polls == 0 and cause is incident.cause:
            return []
        return [
            IncidentChange(
                kind=IncidentChangeKind.NOTED, incident=replace(incident, cause=cause, good_polls=0), announced=False
            )
        ]


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
