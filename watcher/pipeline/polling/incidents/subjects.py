"""The subjects of incidents, and the failed poll of one."""

from __future__ import annotations

from urllib.parse import quote

from watcher.core.incidents.model import Failure
from watcher.core.polling.result import PollFailure
from watcher.core.training.model import WATCH_PREFIX, ServiceRef, TrainingRef


def clock_subject(account: str) -> str:
    """Return the subject of the clock incidents of an account; the account's own incidents have another one."""
    return f"clock:{quote(account, safe='')}"


def updates_subject(account: str) -> str:
    """Return the subject of the incidents of an account's calls about interval services; its polls have others."""
    return f"updates:{quote(account, safe='')}"


def service_of(subject: str) -> ServiceRef | None:
    """Return the service of an incident about a service or a training; ``None`` for any other."""
    if subject.startswith(WATCH_PREFIX):
        return TrainingRef.from_subject(subject).service_ref
    return ServiceRef.from_subject(subject)


def failure_of(subject: str, failure: PollFailure) -> Failure:
    """Return a failed poll as an incident of this subject counts it."""
    return Failure(
        subject=subject,
        cause=failure.cause,
        detail=failure.detail,
        evidence=failure.evidence,
        asked_at=failure.asked_at,
        ended_at=failure.ended_at,
        paused_until=failure.paused_until,
    )
