"""The polls for the watches of a configuration: a list call for a service, a view call for a single training.

Two or more single trainings of one service share a list call, which takes fewer requests. A watch with
``service = "*"`` polls the account's list of services, and each service in it gets a list call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from watcher.core.event import NO_LABELS, NO_LINKS
from watcher.core.polling.schedule import Cadence
from watcher.core.training.links import filled_in
from watcher.core.training.model import ServiceRef, TrainingRef

EVERY_SERVICE: Final = "*"
JOIN_FROM: Final = 2
"""Single trainings of one service from which one list call takes fewer requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watch of the configuration: a service, one training, or every service of the account."""

    service: ServiceRef
    training: TrainingRef | None = None
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """Templates of addresses, see ``core.training.links``."""
    cadence: Cadence


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The name, labels and links of a training in events and messages."""

    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """Templates of addresses."""

    def links_of(self, service: ServiceRef, training: TrainingRef | None = None) -> Mapping[str, str]:
        """Return the addresses of the pages of a service or training."""
        if not self.links:
            return NO_LINKS
        values = {"account": service.account, "service": service.service, "name": self.name or service.service}
        own = {} if training is None else {"type": training.type, "version": training.version}
        return filled_in(self.links, {**values, **own})


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One request to AiTEMS that is repeated."""

    service: ServiceRef
    training: TrainingRef | None = None
    """The one training of a view call; ``None`` for a list call."""
    cadence: Cadence
    naming: Naming = Naming()
    whole_service: bool = True
    """Whether every training of the service is watched, or only those in ``single``."""
    single: Mapping[TrainingRef, Naming] = field(default_factory=dict, hash=False)
    """Trainings of a list call that have watches of their own; their naming takes precedence."""

    @property
    def discovers(self) -> bool:
        """Whether this polls the account's list of services."""
        return self.service.service == EVERY_SERVICE

    @property
    def finds_new(self) -> bool:
        """Whether an unknown training in the answer makes an event, as a new one."""
        return self.training is None and self.whole_service

    @property
    def key(self) -> str:
        """The poll's key in the store.

        A list call for single trainings has a key of its own, because it covers only those.
        """
        if self.training is not None:
            return self.training.subject
        return self.service.subject if self.whole_service else f"joined {self.service.subject}"

    def concerns(self, ref: TrainingRef) -> bool:
        """Return whether a training in the answer is watched."""
        return self.whole_service or ref in self.single

    def naming_of(self, ref: TrainingRef) -> Naming:
        """Return the naming of a training: that of its own watch, or else of its service's."""
        return self.single.get(ref, self.naming)


def plan_polls(watches: Iterable[Watch]) -> tuple[Poll, ...]:
    """Return the polls for these watches; each training has one poll, at the shortest of its intervals.

    A watch of a single training adds its name and labels to those of its service's watch.
    """
    polls: dict[ServiceRef | TrainingRef, Poll] = {}
    for watch in sorted(watches, key=lambda watch: watch.training is not None):
        covering = polls.get(watch.service)
        if covering is None:
            target = watch.training or watch.service
            polls[target] = _merge(polls.get(target), watch)
        else:
            polls[watch.service] = _add_to_service(covering, watch)
    return _join_single_polls(polls.values())


def discovered(poll: Poll, service: ServiceRef, name: str | None) -> Poll:
    """Return the list call for a service from the account's list."""
    naming = replace(poll.naming, name=poll.naming.name or name)
    return Poll(service=service, cadence=poll.cadence, naming=naming)


def _join_single_polls(polls: Iterable[Poll]) -> tuple[Poll, ...]:
    by_service: dict[ServiceRef, list[Poll]] = {}
    for poll in polls:
        by_service.setdefault(poll.service, []).append(poll)
    return tuple(poll for group in by_service.values() for poll in _as_one_list(group))


def _as_one_list(polls: list[Poll]) -> list[Poll]:
    single = {poll.training: poll.naming for poll in polls if poll.training is not None}
    if len(single) < JOIN_FROM:
        return polls
    cadence = polls[0].cadence
    for poll in polls[1:]:
        cadence = _shorter(cadence, poll.cadence)
    return [Poll(service=polls[0].service, cadence=cadence, whole_service=False, single=single)]


def _merge(poll: Poll | None, watch: Watch) -> Poll:
    naming = Naming(name=watch.name, labels=watch.labels, links=watch.links)
    if poll is None:
        return Poll(service=watch.service, training=watch.training, cadence=watch.cadence, naming=naming)
    return replace(poll, cadence=_shorter(poll.cadence, watch.cadence), naming=_specific(poll.naming, naming))


def _add_to_service(poll: Poll, watch: Watch) -> Poll:
    if watch.training is None:
        return _merge(poll, watch)
    own = Naming(name=watch.name, labels=watch.labels, links=watch.links)
    single = {**poll.single, watch.training: _specific(poll.naming_of(watch.training), own)}
    return replace(poll, cadence=_shorter(poll.cadence, watch.cadence), single=single)


def _specific(general: Naming, own: Naming) -> Naming:
    return Naming(
        name=own.name or general.name,
        labels={**general.labels, **own.labels},
        links={**general.links, **own.links},
    )


def _shorter(first: Cadence, second: Cadence) -> Cadence:
    return Cadence(
        interval=min(first.interval, second.interval),
        idle_interval=min(first.idle_interval, second.idle_interval),
    )
