"""The request of a wait, and the service that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Self

from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef
from watcher.reports.trainings import service_names


class AmbiguousServiceError(Exception):
    """Several services have the name; the text lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRequest:
    """The arguments of ``wait``."""

    service: str
    """Its id or name, also as ``ACCOUNT/SERVICE``."""
    type: str
    version: str | None = None
    """``None`` stands for the latest."""
    after: str | None = None
    account: str | None = None
    """``None`` for every account."""
    in_progress: bool = False
    """Whether an earlier part of the wait has seen the training in progress."""

    def as_json(self) -> dict[str, object]:
        """Return the request for the daemon."""
        return asdict(self)

    @classmethod
    def from_json(cls, arguments: Mapping[str, object]) -> Self:
        """Return the request that ``as_json`` wrote; a daemon ignores what a newer command adds."""
        texts = {name: value for name in cls.__slots__ if isinstance(value := arguments.get(name), str)}
        return cls(
            service=texts.pop("service", ""),
            type=texts.pop("type", ""),
            **texts,
            in_progress=arguments.get("in_progress") is True,
        )


def service_called(request: WaitRequest, polls: Iterable[Poll]) -> ServiceRef | None:
    """Return the polled service that a request names; ``None`` where there is none.

    Raises:
        AmbiguousServiceError: there are several.
    """
    names = service_names(poll for poll in polls if not poll.discovers)
    return only_match(request, names)


def only_match(request: WaitRequest, names: Mapping[ServiceRef, Iterable[str]]) -> ServiceRef | None:
    """Return the service with the id or name of a request; ``None`` where there is none.

    Args:
        request: the request.
        names: the names of each service.

    Raises:
        AmbiguousServiceError: there are several.
    """
    found = sorted(
        service
        for service in names
        if request.account in {None, service.account} and _is_called(service, names[service], request.service)
    )
    if len(found) > 1:
        listed = ", ".join(f"{service.account}/{service.service}" for service in found)
        raise AmbiguousServiceError(f"several services are called {request.service!r}: write one of {listed}")
    return found[0] if found else None


def _is_called(service: ServiceRef, names: Iterable[str], text: str) -> bool:
    own = (service.service, *names)
    return text in own or text in {f"{service.account}/{name}" for name in own}
