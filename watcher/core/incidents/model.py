"""The facts of incidents: the failures that begin one, its state, and its changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from watcher.core.event import Kind, PreviousCause
from watcher.core.incidents.evidence import NO_EVIDENCE, Evidence
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
    evidence: Evidence = NO_EVIDENCE
    asked_at: datetime
    ended_at: datetime
    paused_until: datetime | None = None
    """The end of the pause of the account that it made; ``None`` where it made none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Failed polls of one subject in a row."""

    failures: int
    since: datetime
    """Start of the first of them."""
    cause: Cause
    detail: str
    evidence: Evidence = NO_EVIDENCE
    same_kind: int = 1
    """The number of latest failures whose causes make the same kind of incident."""
    same_since: datetime | None = None
    """Start of the first of them; ``None`` where all failures are of one kind, or it was before a restart."""
    same_ended_at: datetime | None = None
    """The end of the first of them; ``None`` as above."""
    latest: Failure | None = None
    """The failure that was counted last; ``None`` for a streak from before a restart."""
    first_ended_at: datetime | None = None
    """The end of the first of them; ``None`` for a streak from before a restart."""

    @property
    def of_latest_kind(self) -> Streak:
        """The latest failures whose causes make the same kind of incident, as a streak of their own."""
        if self.same_since is None:
            return self
        return replace(self, failures=self.same_kind, since=self.same_since, first_ended_at=self.same_ended_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time during which an account, a service or a training cannot be polled."""

    id: str
    subject: str
    """The account, service or training, as in the store."""
    cause: Cause
    detail: str
    evidence: Evidence = NO_EVIDENCE
    since: datetime
    """Start of the first failed poll."""
    last_good_at: datetime | None
    """The end of the last good poll; ``None`` where there was none."""
    opened_at: datetime
    previous: PreviousCause | None = None
    """The cause before the present one, where its kind has changed."""
    covers: frozenset[str] = field(default_factory=frozenset)
    """Subjects of announced incidents that this one absorbed; at its end, those that have answered since."""
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
    paused_until: datetime | None = None
    """The end of the account's pause that lasts at the time of the change; ``None`` where it does not pause."""


def account_subject(account: str) -> str:
    """Return the subject of an account, e.g. ``account:main``."""
    return f"account:{quote(account, safe='')}"
