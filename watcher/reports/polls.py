"""Which look serves what: between the configuration's watches, the planned looks and the store's rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from watcher.core.plural import counted
from watcher.core.polling.plan import Poll, discovered
from watcher.core.polling.result import PollState
from watcher.core.training.model import ServiceRef, TrainingRef


def serves(poll: Poll, service: ServiceRef, training: TrainingRef | None) -> bool:
    """Say whether a look serves a watch of a service, or of one training of it."""
    if poll.service != service:
        return False
    if poll.training is not None:
        return poll.training == training
    return poll.whole_service or training in poll.single


def with_discovered(polls: Iterable[Poll], states: Mapping[str, PollState]) -> Iterator[Poll]:
    """Return the planned looks and those that a look for every service has led to, as far as the store knows them."""
    planned = tuple(polls)
    yield from planned
    keys = {poll.key for poll in planned}
    discovering = {poll.service.account: poll for poll in planned if poll.discovers}
    for key in states:
        service = service_of(key)
        if service is not None and key not in keys and service.account in discovering:
            yield discovered(discovering[service.account], service, None)


def service_of(subject: str) -> ServiceRef | None:
    """Read what ``ServiceRef.subject`` wrote; ``None`` for any other subject."""
    kind, _, path = subject.partition(":")
    account, slash, service = path.partition("/")
    return ServiceRef(unquote(account), unquote(service)) if kind == "service" and slash else None


def target_text(poll: Poll) -> str:
    """Name what a look asks for."""
    if poll.discovers:
        return f"the services of account {poll.service.account}"
    service = poll.naming.name or poll.service.service
    if poll.training is not None:
        return f"{service} {poll.training.type} {poll.training.version}"
    return service if poll.whole_service else f"{counted(len(poll.single), 'training')} of {service}"


def call_text(poll: Poll) -> str:
    """Name the call that a look makes."""
    if poll.discovers:
        return "list of all services, then a list of each"
    return f"{'list' if poll.training is None else 'view'} of {poll.service.service}"


def saving_text(poll: Poll) -> str:
    """Say what a list call saves; nothing for a view."""
    if poll.training is not None:
        return ""
    if poll.discovers:
        return "1 list call a service for all its trainings"
    if poll.whole_service:
        return "1 list call for all its trainings"
    return f"1 list call instead of {counted(len(poll.single), 'view call')}"
