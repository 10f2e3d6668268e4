"""The services that a watch of every service (``service = "*"``) has found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watcher.core.polling.plan import Poll, discovered
from watcher.core.training.model import ServiceRef
from watcher.pipeline.ports import ServiceInfo


class Discovery:
    """Remembers the services, so that a reload keeps polling them before it has listed the account again."""

    def __init__(self) -> None:
        self._names: dict[ServiceRef, str | None] = {}

    def add(self, poll: Poll, services: Sequence[ServiceInfo]) -> list[Poll]:
        """Remember the services that a poll has listed; return the list poll of each."""
        self._names |= {service.ref: service.name for service in services}
        return [discovered(poll, service.ref, service.name) for service in services]

    def polls(self, planned: Iterable[Poll]) -> list[Poll]:
        """Return the list polls of the known services, with the settings of the planned watches of every service."""
        by_account = {poll.service.account: poll for poll in planned if poll.discovers}
        found = [(by_account.get(ref.account), ref, name) for ref, name in self._names.items()]
        return [discovered(poll, ref, name) for poll, ref, name in found if poll is not None]
