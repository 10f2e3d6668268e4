"""The scope of each incident: the names, labels and links that its events carry."""

from __future__ import annotations

from dataclasses import replace

from watcher.core.incidents.events import IncidentScope
from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef, TrainingRef


class IncidentScopes:
    """The scopes of the polls of the present configuration, by the subject of the incident."""

    def __init__(self) -> None:
        self._scopes: dict[str, IncidentScope] = {}

    def __contains__(self, subject: object) -> bool:
        return subject in self._scopes

    def clear(self) -> None:
        """Forget every scope."""
        self._scopes.clear()

    def add_account(self, subject: str, account: str) -> None:
        """Add the scope of an account."""
        self._scopes.setdefault(subject, IncidentScope(account=account))

    def add_poll(self, poll: Poll) -> None:
        """Add the scopes of a poll: its service, and the trainings with a watch of their own."""
        attributes = poll.attributes
        of_service = IncidentScope(
            account=poll.service.account,
            service=poll.service,
            service_name=attributes.name,
            labels=attributes.labels,
            links=attributes.links_of(poll.service),
        )
        self._scopes[poll.service.subject] = of_service
        self._scopes[poll.key] = IncidentScope(account=poll.service.account) if poll.discovers else of_service
        for ref in (*poll.single, *((poll.training,) if poll.training else ())):
            self.add_training(poll, ref)

    def rename(self, poll: Poll) -> None:
        """Adopt the present name of a poll's service, also for its trainings."""
        known = [scope.training for scope in self._scopes.values() if scope.service == poll.service]
        self.add_poll(poll)
        for ref in known:
            if ref is not None:
                self.add_training(poll, ref)

    def add_training(self, poll: Poll, ref: TrainingRef) -> None:
        """Add the scope of a training that a poll concerns."""
        own = poll.attributes_of(ref)
        self._scopes[ref.watch_subject] = IncidentScope(
            account=ref.account,
            # The list of services knows the trainings with a watch of their own, too.
            service=ref.service_ref,
            training=ref,
            service_name=own.name,
            labels=own.labels,
            links=own.links_of(ref.service_ref, ref),
        )

    def training_of(self, subject: str) -> TrainingRef | None:
        """Return the training of an incident; ``None`` for any other incident."""
        scope = self._scopes.get(subject)
        return None if scope is None else scope.training

    def remove_service(self, service: ServiceRef) -> tuple[str, ...]:
        """Remove the scopes of a service and its trainings; return their subjects."""
        own = (key for key, scope in self._scopes.items() if scope.training and scope.service == service)
        subjects = (service.subject, *own)
        for subject in subjects:
            self._scopes.pop(subject, None)
        return subjects

    def of(self, subject: str, account: str, services: int) -> IncidentScope:
        """Return the scope of an incident; ``services`` is the number of watched services, for one of an account."""
        return replace(self._scopes.get(subject, IncidentScope(account=account)), services=services)
