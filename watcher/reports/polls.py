"""The poll that serves a watch: from the configuration's watches to planned polls and the store's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from watcher.core.plural import counted
from watcher.core.polling.plan import EVERY_SERVICE, Poll, discovered
from watcher.core.polling.result import PollState
from watcher.core.routing.matcher import is_pattern
from watcher.core.training.model import ServiceRef, TrainingRef


def serves(poll: Poll, service: ServiceRef, training: TrainingRef | None) -> bool:
    """Say whether a poll serves a watch of a service or of a pattern, or of one of a service's trainings."""
    if poll.discovers:
        return poll.service.account == service.account and is_pattern(service.service)
    if poll.service != service:
        return False
    if poll.training is not None:
        return poll.training == training
    return poll.whole_service or training in poll.single


def with_discovered(polls: Iterable[Poll], states: Mapping[str, PollState]) -> Iterator[Poll]:
    """Return the planned polls, and the polls of the services that discovery has added to the store."""
    planned = tuple(polls)
    yield from planned
    discovering = {poll.service.account: poll for poll in planned if poll.discovers}
    if not discovering:
        return
    keys = {poll.key for poll in planned}
    for key in states:
        service = ServiceRef.from_subject(key)
        if service is None or key in keys or service.account not in discovering or service.service == EVERY_SERVICE:
            continue
        if (poll := discovered(discovering[service.account], service, None)) is not None:
            yield poll


def named(polls: Iterable[Poll], states: Mapping[str, PollState]) -> Iterator[Poll]:
    """Return these polls; a service that the configuration does not name has the name that AiTEMS gives it."""
    names = {key: state.name for key, state in states.items() if state.name is not None}
    for poll in polls:
        name = None if not names or poll.attributes.name is not None else names.get(poll.service.subject)
        yield poll if name is None else replace(poll, attributes=replace(poll.attributes, name=name))


def with_views(polls: Iterable[Poll], states: Mapping[str, PollState]) -> Iterator[Poll]:
    """Return these polls, and the views of the trainings that the latest list of their service did not show."""
    planned = tuple(polls)
    yield from planned
    views = [key for key in states if key.startswith("training:")]
    if not views:
        return
    lists = {poll.service: poll for poll in planned if poll.training is None}
    keys = {poll.key for poll in planned}
    for key in views:
        if key in keys:
            continue
        ref = TrainingRef.from_subject(key)
        covering = lists.get(ref.service_ref)
        if covering is not None and covering.concerns(ref):
            attributes = covering.attributes_of(ref)
            yield Poll(service=ref.service_ref, training=ref, cadence=covering.cadence, attributes=attributes)


def target_text(poll: Poll) -> str:
    """Name the target of a poll."""
    if poll.discovers:
        return f"the services of account {poll.service.account}"
    service = poll.attributes.name or poll.service.service
    if poll.training is not None:
        return f"{service} {poll.training.type} {poll.training.version}"
    return service if poll.whole_service else f"{counted(len(poll.single), 'training')} of {service}"


def call_text(poll: Poll) -> str:
    """Name the call of a poll."""
    if poll.discovers:
        return "list of all services, then a list of each"
    return f"{'list' if poll.training is None else 'view'} of {poll.service.service}"


def saving_text(poll: Poll) -> str:
    """Name the calls that a list call saves; return an empty text for a view call."""
    if poll.training is not None:
        return ""
    if poll.discovers:
        return "1 list call per service for all its trainings"
    if poll.whole_service:
        return "1 list call for all its trainings"
    return f"1 list call instead of {counted(len(poll.single), 'view call')}"
