"""What cannot be seen: when a streak of failed looks becomes an incident, what it covers, and when it ends.

Theory of operation. Failed looks are counted in a row for each subject: a service, or a training that is watched by
itself and was never found. A subject is dark after so many failures and so long a time. When nothing of the account
was answered since, and at least two services (or two minutes) say so, it is the account that is dark: its incident
takes over those of its services. A change of cause updates an incident. Only answers close it, and its end names
what it began with. A training keeps its recorded status meanwhile: a look fails, not a training.

``Outlook`` is one account. Its counts live in memory and are taken up from the looks after a restart; its incidents
are the store's. Its methods decide and change counts only; ``apply`` takes over what was written.
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
    good_looks: int = 2
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
    good_looks: int = 0
    """Answers since the last failure; so many that they end it close it."""

    @property
    def kind(self) -> Kind:
        """The kind of its events."""
        return kind_of(self.cause)


class TurnKind(StrEnum):
    """What became of an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    ABSORBED = "absorbed"
    """Taken over by the account's, without a word of its own."""
    NOTED = "noted"
    """Something that a restart should know and nobody needs to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A change of an incident; ``incident`` is as it is after it."""

    kind: TurnKind
    incident: Incident
    told: bool = True
    """Whether it makes an event."""


def account_subject(account: str) -> str:
    """Return an account's key in the store, e.g. ``account:main``."""
    return f"account:{quote(account, safe='')}"


class Outlook:
    """What one account shows of itself."""

    def __init__(self, account: str, thresholds: Thresholds, incidents: Iterable[Incident] = ()) -> None:
        self.subject = account_subject(account)
        self._thresholds = thresholds
        self._incidents = {incident.subject: incident for incident in incidents}
        self._streaks: dict[str, Streak] = {}
        self._last_good_at: datetime | None = None
        self._dark: dict[str, datetime] = {}
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
            self._dark[subject] = streak.since

    def remember_good(self, last_good_at: datetime | None) -> None:
        """Take up when something of the account was seen before a restart."""
        known = [moment for moment in (self._last_good_at, last_good_at) if moment is not None]
        self._last_good_at = max(known, default=None)

    def failed(self, failure: Failure, last_good_at: datetime | None, watched: int, now: datetime) -> list[Turn]:
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
            self._dark.setdefault(failure.subject, failure.asked_at)
            reached = []
        streak = self._count(failure)
        return [*reached, *self._worsened(failure.subject, streak, last_good_at, watched, now)]

    def succeeded(self, subjects: Iterable[str], now: datetime) -> list[Turn]:
        """Note a counting answer about these subjects and return what follows."""
        turns = self._answered(now)
        for subject in subjects:
            self._streaks.pop(subject, None)
            mine = self._incidents.get(subject)
            turns += [] if mine is None else [self._better(mine)]
        return turns

    def apply(self, turns: Iterable[Turn]) -> None:
        """Take over turns that were written."""
        for turn in turns:
            if turn.kind in {TurnKind.CLOSED, TurnKind.ABSORBED}:
                self._incidents.pop(turn.incident.subject, None)
            else:
                self._incidents[turn.incident.subject] = turn.incident

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

    def _answered(self, now: datetime) -> list[Turn]:
        self._last_good_at = now
        self._dark.clear()
        account = self._incidents.get(self.subject)
        return [] if account is None else [self._better(account)]

    def _better(self, incident: Incident) -> Turn:
        better = replace(incident, good_looks=incident.good_looks + 1)
        enough = better.good_looks >= self._thresholds.good_looks
        return Turn(kind=TurnKind.CLOSED if enough else TurnKind.NOTED, incident=better, told=enough)

    def _worsened(
        self, subject: str, streak: Streak, last_good_at: datetime | None, watched: int, now: datetime
    ) -> list[Turn]:
        account = self._incidents.get(self.subject)
        if account is not None and streak.cause is not Cause.NOT_FOUND:
            return self._changed(account, streak)
        if self._account_is_dark(streak, watched, now):
            return self._open_account(streak, watched, now)
        mine = self._incidents.get(subject)
        if mine is not None:
            return self._changed(mine, streak)
        if account is None and self._is_dark(streak, now):
            return [_opened(subject, streak, last_good_at, now)]
        return []

    def _is_dark(self, streak: Streak, now: datetime) -> bool:
        enough = streak.failures >= self._thresholds.failures
        return enough and now - streak.since >= self._thresholds.after

    def _account_is_dark(self, streak: Streak, watched: int, now: datetime) -> bool:
        if streak.cause is Cause.NOT_FOUND or not self._is_dark(streak, now):
            return False
        first = min(self._dark.values(), default=now)
        # A service that is merely not due says nothing for or against the account.
        alone = watched <= 1 and now - first >= self._thresholds.account_after
        return len(self._dark) >= self._thresholds.account_services or alone

    def _open_account(self, streak: Streak, watched: int, now: datetime) -> list[Turn]:
        absorbed = [item for item in self._incidents.values() if item.cause is not Cause.NOT_FOUND]
        first = min(self._dark.values(), default=streak.since)
        opened = _opened(self.subject, replace(streak, since=first), self._last_good_at, now)
        # Where one service is all there is, its incident has told everything: the account's takes over its name.
        told = not (watched == 1 and absorbed)
        incident = replace(
            opened.incident,
            id=opened.incident.id if told else absorbed[0].id,
            last_good_at=self._last_good_at
            or max((item.last_good_at for item in absorbed if item.last_good_at), default=None),
            covers=frozenset(item.subject for item in absorbed),
        )
        gone = [Turn(kind=TurnKind.ABSORBED, incident=item, told=False) for item in absorbed]
        return [*gone, replace(opened, incident=incident, told=told)]

    def _changed(self, incident: Incident, streak: Streak) -> list[Turn]:
        """Note what the latest failure says; tell it when another kind of trouble has come to stay."""
        other_kind = kind_of(streak.cause) is not incident.kind
        if other_kind and streak.same_kind >= self._thresholds.failures:
            updated = replace(incident, cause=streak.cause, detail=streak.detail, good_looks=0)
            return [Turn(kind=TurnKind.UPDATED, incident=updated)]
        cause = incident.cause if other_kind else streak.cause
        if incident.good_looks == 0 and cause is incident.cause:
            return []
        return [Turn(kind=TurnKind.NOTED, incident=replace(incident, cause=cause, good_looks=0), told=False)]


def _opened(subject: str, streak: Streak, last_good_at: datetime | None, now: datetime) -> Turn:
    incident = Incident(
        id="",
        subject=subject,
        cause=streak.cause,
        detail=streak.detail,
        since=streak.since,
        last_good_at=last_good_at,
        opened_at=now,
    )
    return Turn(kind=TurnKind.OPENED, incident=incident)
