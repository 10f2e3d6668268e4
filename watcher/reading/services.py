"""Find a service, and the part of a status that is about it or about one of its trainings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote

from watcher.config import Config
from watcher.core.polling.result import PollState
from watcher.core.routing.matcher import Matcher, matches_pattern
from watcher.core.routing.silence import may_concern
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.operations.errors import OperationRefusedError
from watcher.reading.trainings import planned
from watcher.reports.polls import named, with_discovered
from watcher.reports.status import PollReport, StatusReport
from watcher.reports.trainings import service_names, text_by_id
from watcher.store.views import Views


def find_service(config: Config, views: Views, states: Mapping[str, PollState], text: str) -> ServiceRef:
    """Return the service with this id or name; ``account/service`` where several accounts have one.

    Raises:
        OperationRefusedError: there is none, or there are several.
    """
    names = known_names(config, states)
    known = {**{item.service: set[str]() for item in views.training_counts()}, **names}
    found = _called(text, known) or _called(text, views.names_in_events())
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{service.account}/{service.service}" for service in found)
        raise OperationRefusedError(f"several services are called {text!r}: write one of {listed}")
    raise OperationRefusedError(f"there is no service {text!r}; aitems-watcher status --all lists what is known")


def known_names(config: Config, states: Mapping[str, PollState]) -> dict[ServiceRef, set[str]]:
    """Return the names of each service: those of the configuration, or else that of AiTEMS."""
    return service_names(named(with_discovered(planned(config), states), states))


def ids_by_name(names: Mapping[ServiceRef, set[str]]) -> dict[str, str]:
    """Return the id of each service by its names; people know the names from every page and message."""
    return {name: service.service for service, own in names.items() for name in own}


def names_unwatched(match: Matcher, services: Iterable[ServiceRef]) -> bool:
    """Say whether a matcher names services of which none is watched: most often an id is mistyped."""
    wanted = match.patterns.get("service")
    return wanted is not None and not any(
        matches_pattern(known.service, pattern) for known in services for pattern in wanted
    )


def text_with_id(config: Config, views: Views, text: str) -> str:
    """Return a part of a training with the id of its service where it begins with the name of one."""
    found = text_by_id(text, known_names(config, views.polls()))
    return text_by_id(text, views.names_in_events()) if found == text else found


def _called(text: str, names: Mapping[ServiceRef, set[str]]) -> list[ServiceRef]:
    """Return the services with this id or name, or either after ``account/``."""
    return sorted(
        service
        for service, own in names.items()
        if text in {name for each in (service.service, *own) for name in (each, f"{service.account}/{each}")}
    )


def service_part(whole: StatusReport, service: ServiceRef) -> StatusReport:
    """Return the part of the status that is about one service, and about the daemon."""
    account, updates = (f"{kind}:{quote(service.account, safe='')}" for kind in ("account", "updates"))
    prefixes = tuple(f"{kind}:{service.subject.partition(':')[2]}/" for kind in ("training", "watch"))
    return replace(
        whole,
        polls=[polled for polled in whole.polls if polled.poll.service == service],
        incidents=[
            item
            for item in whole.incidents
            if item.subject in {account, updates, service.subject} or item.subject.startswith(prefixes)
        ],
        overdue=[item for item in whole.overdue if item.ref.service_ref == service],
        reasons=(),
        queues=(),
        failed_deliveries=(),
        deviations=(),
        failing_receivers=(),
        unannounced=(),
        store=None,
        silences=[item for item in whole.silences if may_concern(item, service)],
    )


def training_part(part: StatusReport, ref: TrainingRef, polled: PollReport | None) -> StatusReport:
    """Return the part of a service's status that is about one training, and about the daemon."""
    others = ("training:", "watch:")
    return replace(
        part,
        polls=[] if polled is None else [polled],
        overdue=[item for item in part.overdue if item.ref.type == ref.type],
        incidents=[
            item
            for item in part.incidents
            if item.subject in {ref.subject, ref.watch_subject} or not item.subject.startswith(others)
        ],
    )
