"""An event that never happened, to see where it would go. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.config import Config, WatchSettings
from watcher.config.to_core import polls_of
from watcher.core.event import INCIDENT_KINDS, NO_LABELS, Event, IncidentFacts, Kind
from watcher.core.polling.plan import EVERY_SERVICE, Naming
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
    }
)
"""The kinds that are about a training, each with the status that it moves into unless another is wished for."""
KINDS_BY_PHASE: Final = MappingProxyType(
    {Phase.SUCCEEDED: Kind.SUCCEEDED, Phase.FAILED: Kind.FAILED, Phase.UNKNOWN: Kind.UNKNOWN_STATUS}
)
EXAMPLE_SERVICE: Final = "6wxgu1abcde"
EXAMPLE_TYPE: Final = "pop"
EXAMPLE_VERSION: Final = "maqll0abcde"
"""What an event is about where the configuration does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """What is given of an event; the rest is filled in from the configuration."""

    kind: Kind | None = None
    account: str | None = None
    service: str | None = None
    type: str | None = None
    version: str | None = None
    status: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)


def sample_event(wish: SampleRequest, config: Config, now: datetime) -> Event:
    """Return an event as wished for; what it is about is a training of the first watch unless said otherwise."""
    kind = wish.kind or _kind_of(wish.status)
    ref = _target(wish, kind, config)
    naming = _naming(ref, config)
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
        service_name=naming.name,
        labels={**naming.labels, **wish.labels},
        from_status=None,
        to_status=wish.status or STATUSES.get(kind),
        after=now,
        before=now,
        recorded_at=now,
        incident=IncidentFacts(id="", kind=kind, cause="", detail="", since=now) if kind in INCIDENT_KINDS else None,
    )


def _kind_of(status: str | None) -> Kind:
    return Kind.FAILED if status is None else KINDS_BY_PHASE.get(phase_of(status), Kind.PROGRESS)


def _target(wish: SampleRequest, kind: Kind, config: Config) -> TrainingRef:
    """Return what it is about; a part is empty where an event of this kind has none and none is wished for."""
    if kind in STATUSES:
        return _training(wish, config)
    account = next(iter(config.accounts)) if kind in INCIDENT_KINDS else ""
    return TrainingRef(wish.account or account, wish.service or "", wish.type or "", wish.version or "")


def _training(wish: SampleRequest, config: Config) -> TrainingRef:
    watch = next((watch for watch in config.watches if _suits(watch, wish)), None)
    if watch is None:
        account = wish.account or next(iter(config.accounts))
        return TrainingRef(
            account, wish.service or EXAMPLE_SERVICE, wish.type or EXAMPLE_TYPE, wish.version or EXAMPLE_VERSION
        )
    return TrainingRef(
        watch.account,
        wish.service or (EXAMPLE_SERVICE if watch.service == EVERY_SERVICE else watch.service),
        wish.type or watch.type or EXAMPLE_TYPE,
        wish.version or watch.version or EXAMPLE_VERSION,
    )


def _suits(watch: WatchSettings, wish: SampleRequest) -> bool:
    wanted = ((wish.account, watch.account), (wish.type, watch.type), (wish.version, watch.version))
    service = watch.service in {wish.service or watch.service, EVERY_SERVICE}
    return service and all(asked is None or given is None or asked == given for asked, given in wanted)


def _naming(ref: TrainingRef, config: Config) -> Naming:
    """Return the name and labels that the watches give."""
    polls = [poll for poll in polls_of(config) if poll.service.account == ref.account]
    service = ServiceRef(ref.account, ref.service)
    found = next((poll for poll in polls if serves(poll, service, ref)), None)
    found = found or next((poll for poll in polls if poll.discovers and ref.service), None)
    return Naming() if found is None else found.naming_of(ref)
