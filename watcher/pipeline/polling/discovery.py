"""The services that the watches of a pattern (``service = "6wx*"``) have found, and those that a list lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from watcher.core.polling.plan import EVERY_SERVICE, Poll, discovered
from watcher.core.training.model import ServiceRef
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.ports import ServicesResult


class Discovery:
    """Remembers the services, so that a reload keeps polling them before it has listed the account again.

    Args:
        cache: the state in memory, with the services that an earlier process has polled.
    """

    def __init__(self, cache: PollCache) -> None:
        self._cache = cache
        self._discovering: Mapping[str, Poll] = {}
        """By account, the planned poll of its services."""
        self._exact: frozenset[str] = frozenset()
        """The keys of the planned lists, whose services have a watch of their own."""
        self._names: dict[ServiceRef, str | None] = {}
        self._listed_at: dict[ServiceRef, datetime] = {}
        """The start of the latest request whose answer showed a service."""
        self._missed: dict[ServiceRef, int] = {}
        """The lists in a row that lack a service."""
        self._missing_since: dict[ServiceRef, datetime] = {}
        """The start of the request for the first of them."""

    def plan(self, planned: Iterable[Poll]) -> None:
        """Adopt the planned polls of a configuration."""
        polls = tuple(planned)
        self._discovering = {poll.service.account: poll for poll in polls if poll.discovers}
        self._exact = frozenset(poll.key for poll in polls if not poll.discovers)

    def poll_of(self, service: ServiceRef) -> Poll | None:
        """Return the list poll of a service that only a pattern watches; ``None`` for any other service."""
        poll = self._discovering.get(service.account)
        if poll is None or service.subject in self._exact or service.service == EVERY_SERVICE:
            return None
        # After a start, the name of the process before, until the first list.
        return discovered(poll, service, self._names.get(service) or self._cache.poll(service.subject).name)

    def key_of(self, account: str) -> str | None:
        """Return the key of the poll of an account's services, if there is one."""
        poll = self._discovering.get(account)
        return None if poll is None else poll.key

    def polls(self) -> list[Poll]:
        """Return the list polls of the known services."""
        return [poll for service in self._names if (poll := self.poll_of(service)) is not None]

    def has_watch(self, service: ServiceRef) -> bool:
        """Return whether a service has a watch of its own, of all its trainings."""
        return service.subject in self._exact

    def was_listed(self, service: ServiceRef) -> bool:
        """Return whether a list of this process has shown a service."""
        return service in self._names

    def listed_at(self, service: ServiceRef) -> datetime | None:
        """Return the start of the latest request whose answer showed a service."""
        return self._listed_at.get(service)

    def note(self, account: str, services: ServicesResult) -> list[ServiceRef]:
        """Remember the services of a list; return the known services that it lacks."""
        shown = {service.ref for service in services.services}
        self._names |= {service.ref: service.name for service in services.services}
        self._listed_at |= dict.fromkeys(shown, services.asked_at)
        # A record without an id hides none for ever: the service's own list says whether the service exists.
        unreadable = {record.identity for record in services.unreadable}
        missing = [ref for ref in self._known(account) if ref not in shown and (ref.service,) not in unreadable]
        self._missed = {
            **{ref: count for ref, count in self._missed.items() if ref.account != account},
            **{ref: self._missed.get(ref, 0) + 1 for ref in missing},
        }
        self._missing_since = {ref: self._missing_since.get(ref, services.asked_at) for ref in self._missed}
        return missing

    def missed(self, service: ServiceRef) -> int:
        """Return the number of lists in a row that lack a service."""
        return self._missed.get(service, 0)

    def missing_since(self, service: ServiceRef) -> datetime | None:
        """Return the start of the first request in a row whose answer lacks a service."""
        return self._missing_since.get(service)

    def forget(self, service: ServiceRef) -> None:
        """Forget a service that is gone."""
        for known in (self._names, self._listed_at, self._missed, self._missing_since):
            known.pop(service, None)

    def _known(self, account: str) -> list[ServiceRef]:
        """Return the services of an account that patterns watch: listed, polled, or with an open incident."""
        incidents = (ServiceRef.from_subject(incident.subject) for incident in self._cache.open_incidents())
        found = dict.fromkeys((*self._names, *self._cache.polled_services(), *incidents))
        return [ref for ref in found if ref is not None and ref.account == account and self.poll_of(ref) is not None]
