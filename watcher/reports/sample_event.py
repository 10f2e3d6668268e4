"""An invented event, to show its route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.config import Config, WatchSettings
from watcher.config.to_core import polls_of
from watcher.core.event import INCIDENT_KINDS, NO_LABELS, Event, IncidentFacts, Kind
from watcher.core.polling.plan import WatchAttributes, discovered
from watcher.core.routing.matcher import matches_pattern
from watcher.core.training.model import Phase, ServiceRef, Status, TrainingRef, phase_of
from watcher.reports.polls import serves

STATUSES: Final[Mapping[Kind, str | None]] = MappingProxyType(
    {
        Kind.APPEARED: Status.REQUESTING,
        Kind.PROGRESS: Status.LEARNING,
        Kind.SUCCEEDED: Status.COMPLETED,
        Kind.FAILED: Status.LEARNING_FAILED,
        Kind.RESTARTED: Status.REQUESTING,
        Kind.UNKNOWN_STATUS: "unheard-of",
        Kind.GONE: None,
        Kind.BACK: Status.LEARNING,
        Kind.OVERDUE: None,
        Kind.STUCK: Status.LEARNING,
        Kind.UNSTUCK: Status.LEARNING,
        Kind.FAST: Status.COMPLETED,
        Kind.UPDATE_SUCCEEDED: None,
        Kind.UPDATE_FAILED: None,
        Kind.UNUSABLE: None,
    }
)
"""The kinds that concern a training, each with its new status if the request names none."""
KINDS_BY_PHASE: Final = MappingProxyType(
    {Phase.SUCCEEDED: Kind.SUCCEEDED, Phase.FAILED: Kind.FAILED, Phase.UNKNOWN: Kind.UNKNOWN_STATUS}
)
EXAMPLE_SERVICE: Final = "6wxgu1abcde"
EXAMPLE_TYPE: Final = "pop"
EXAMPLE_VERSION: Final = "maqll0abcde"
"""The subject of an event if the configuration names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """The requested properties of an event; the configuration provides the others."""

    kind: Kind | None = None
    account: str | None = None
    service: str | None = None
    type: str | None = None
    version: str | None = None
    status: str | None = None
    from_status: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)


def sample_event(request: SampleRequest, config: Config, now: datetime) -> Event:
    """Return an event with the requested properties; its default subject is a training of the first watch."""
    kind = request.kind or _kind_of(request.status)
    ref = _subject(request, kind, config)
    attributes = _attributes(ref, config)
    return Event(
        id="evt_invented",
        kind=kind,
        subject=f"invented:{'/'.join(part for part in (ref.account, ref.service, ref.type, ref.version) if part)}",
        seq=1,
        reason="invented",
        account=ref.account,
        service=ref.service or None,
        training_type=ref.type or None,
        version=ref.version or None,
        service_name=attributes.name,
        labels={**attributes.labels, **request.labels},
        from_status=request.from_status,
        to_status=request.status or STATUSES.get(kind),
        after=now,
        before=now,
        recorded_at=now,
        incident=IncidentFacts(id="", kind=kind, cause="", detail="", since=now) if kind in INCIDENT_KINDS else None,
    )


def _kind_of(status: str | None) -> Kind:
    return Kind.FAILED if status is None else KINDS_BY_PHASE.get(phase_of(status), Kind.PROGRESS)


def _subject(request: SampleRequest, kind: Kind, config: Config) -> TrainingRef:
    """Return the subject; a part is empty if events of this kind have none and the request names none."""
    if kind in STATUSES:
        ref = _training(request, config)
        # The retraining of a service and type has no version.
        return replace(ref, version="") if kind is Kind.OVERDUE else ref
    account = next(iter(config.accounts)) if kind in INCIDENT_KINDS else ""
    return TrainingRef(request.account or account, request.service or "", request.type or "", request.version or "")


def _training(request: SampleRequest, config: Config) -> TrainingRef:
    watch = next((watch for watch in config.watches if _fits(watch, request)), None)
    if watch is None:
        account = request.account or next(iter(config.accounts))
        return TrainingRef(
            account,
            request.service or EXAMPLE_SERVICE,
            request.type or EXAMPLE_TYPE,
            request.version or EXAMPLE_VERSION,
        )
    return TrainingRef(
        watch.account,
        request.service or _example_of(watch.service),
        request.type or watch.type or EXAMPLE_TYPE,
        request.version or watch.version or EXAMPLE_VERSION,
    )


def _example_of(service: str) -> str:
    """Return a service that a watch's id or pattern matches."""
    if matches_pattern(EXAMPLE_SERVICE, service):
        return EXAMPLE_SERVICE
    return service.replace("*", "1").replace("?", "1")


def _fits(watch: WatchSettings, request: SampleRequest) -> bool:
    wanted = ((request.account, watch.account), (request.type, watch.type), (request.version, watch.version))
    service = request.service is None or matches_pattern(request.service, watch.service)
    return service and all(
        requested is None or watched is None or requested == watched for requested, watched in wanted
    )


def _attributes(ref: TrainingRef, config: Config) -> WatchAttributes:
    """Return the name and labels from the watches."""
    polls = [poll for poll in polls_of(config) if poll.service.account == ref.account]
    service = ServiceRef(ref.account, ref.service)
    exact = (poll for poll in polls if not poll.discovers and serves(poll, service, ref))
    by_pattern = (discovered(poll, service, None) for poll in polls if poll.discovers and ref.service)
    found = next((poll for poll in (*exact, *by_pattern) if poll is not None), None)
    return WatchAttributes() if found is None else found.attributes_of(ref)
