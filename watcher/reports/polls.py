"""Which look serves what: between the configuration's watches, the planned looks and the store's rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from watcher.core.plural import counted
from watcher.core.polling.plan import Look, discovered
from watcher.core.polling.result import LookState
from watcher.core.training.model import ServiceRef, TrainingRef


def serves(look: Look, service: ServiceRef, training: TrainingRef | None) -> bool:
    """Say whether a look serves a watch of a service, or of one training of it."""
    if look.service != service:
        return False
    if look.training is not None:
        return look.training == training
    return look.whole or training in look.single


def with_discovered(looks: Iterable[Look], states: Mapping[str, LookState]) -> Iterator[Look]:
    """Return the planned looks and those that a look for every service has led to, as far as the store knows them."""
    planned = tuple(looks)
    yield from planned
    keys = {look.key for look in planned}
    discovering = {look.service.account: look for look in planned if look.discovers}
    for key in states:
        service = service_of(key)
        if service is not None and key not in keys and service.account in discovering:
            yield discovered(discovering[service.account], service, None)


def service_of(subject: str) -> ServiceRef | None:
    """Read what ``ServiceRef.subject`` wrote; ``None`` for any other subject."""
    kind, _, path = subject.partition(":")
    account, slash, service = path.partition("/")
    return ServiceRef(unquote(account), unquote(service)) if kind == "service" and slash else None


def target_text(look: Look) -> str:
    """Name what a look asks for."""
    if look.discovers:
        return f"the services of account {look.service.account}"
    service = look.naming.name or look.service.service
    if look.training is not None:
        return f"{service} {look.training.type} {look.training.version}"
    return service if look.whole else f"{counted(len(look.single), 'training')} of {service}"


def call_text(look: Look) -> str:
    """Name the call that a look makes."""
    if look.discovers:
        return "list of all services, then a list of each"
    return f"{'list' if look.training is None else 'view'} of {look.service.service}"


def saving_text(look: Look) -> str:
    """Say what a list call saves; nothing for a view."""
    if look.training is not None:
        return ""
    if look.discovers:
        return "1 list call a service for all its trainings"
    if look.whole:
        return "1 list call for all its trainings"
    return f"1 list call instead of {counted(len(look.single), 'view call')}"
