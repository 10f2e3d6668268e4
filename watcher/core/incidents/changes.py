"""The changes of one incident, and the count of failed polls behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from watcher.core.event import PreviousCause
from watcher.core.incidents.model import (
    Failure,
    Incident,
    IncidentChange,
    IncidentChangeKind,
    Streak,
    kind_of,
)
from watcher.core.polling.result import Cause


def note_change(incident: Incident, noted: Incident) -> list[IncidentChange]:
    """Return the change to an incident's new state that is kept and not announced; nothing where it is the same."""
    if noted == incident:
        return []
    return [IncidentChange(kind=IncidentChangeKind.NOTED, incident=noted, announced=False)]


def continue_incident(account: Incident, own: Incident) -> Incident:
    """Return the account's incident as a continuation of an announced one; another cause since is an update of it."""
    return replace(account, id=own.id, cause=own.cause, detail=own.detail, evidence=own.evidence, previous=own.previous)


def count_failure(before: Streak | None, failure: Failure) -> Streak:
    """Return a streak with one more failure."""
    if before is not None and before.latest == failure:
        # The same failure again, because the write of its changes failed.
        return before
    if before is None or (before.cause is Cause.NOT_FOUND) is not (failure.cause is Cause.NOT_FOUND):
        # A 404 of AiTEMS is an answer: what failed before it is over, and what fails after it is new.
        return Streak(
            failures=1,
            since=failure.asked_at,
            cause=failure.cause,
            detail=failure.detail,
            evidence=failure.evidence,
            latest=failure,
            first_ended_at=failure.ended_at,
        )
    is_same = kind_of(before.cause) is kind_of(failure.cause)
    return replace(
        before,
        failures=before.failures + 1,
        cause=failure.cause,
        detail=failure.detail,
        evidence=failure.evidence,
        same_kind=before.same_kind + 1 if is_same else 1,
        same_since=before.same_since if is_same else failure.asked_at,
        same_ended_at=before.same_ended_at if is_same else failure.ended_at,
        latest=failure,
    )


def previous_cause(incident: Incident, streak: Streak) -> PreviousCause | None:
    """Return the cause that ends with the latest failures of a streak."""
    latest = None if streak.latest is None else streak.latest.asked_at
    until = streak.same_since or latest
    if until is None:
        return None
    return PreviousCause(
        cause=incident.cause.value,
        detail=incident.detail,
        evidence=incident.evidence,
        until=max(until, incident.since),
    )


def open_incident(subject: str, streak: Streak, last_good_at: datetime | None, now: datetime) -> IncidentChange:
    """Return the begin of an incident by these failures."""
    incident = Incident(
        id="",
        subject=subject,
        cause=streak.cause,
        detail=streak.detail,
        evidence=streak.evidence,
        since=streak.since,
        last_good_at=last_good_at,
        opened_at=now,
    )
    return IncidentChange(kind=IncidentChangeKind.OPENED, incident=incident)
