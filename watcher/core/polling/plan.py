"""Which looks serve which watches: one list call for a service, one view call for a single training.

A list call for single trainings of one service is fewer requests as soon as there are two of them. ``service = "*"``
asks for the account's services, and each that is found gets a list call of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from watcher.core.event import NO_LABELS
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef

EVERY_SERVICE: Final = "*"
JOIN_FROM: Final = 2
"""So many single trainings of one service are cheaper by one list call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What somebody asked us to watch: a whole service, one training of it, or every service of the account."""

    service: ServiceRef
    training: TrainingRef | None = None
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    cadence: Cadence


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a training is called and labelled in what is told about it."""

    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One recurring question to AiTEMS."""

    service: ServiceRef
    training: TrainingRef | None = None
    """The one training of a view call; ``None`` for a list call."""
    cadence: Cadence
    naming: Naming = Naming()
    whole: bool = True
    """Whether every training of the service is meant, or those in ``single`` alone."""
    single: Mapping[TrainingRef, Naming] = field(default_factory=dict, hash=False)
    """Trainings of a list call's service that are watched by themselves too; their naming goes first."""

    @property
    def discovers(self) -> bool:
        """Whether it asks which services there are."""
        return self.service.service == EVERY_SERVICE

    @property
    def finds_new(self) -> bool:
        """Whether a training that was not there before is told as new."""
        return self.training is None and self.whole

    @property
    def key(self) -> str:
        """The look's key in the store; a joined list has its own, since it says nothing of the other trainings."""
        if self.training is not None:
            return self.training.subject
        return self.service.subject if self.whole else f"joined {self.service.subject}"

    def concerns(self, ref: TrainingRef) -> bool:
        """Say whether this look is about a training that its answer shows."""
        return self.whole or ref in self.single

    def naming_of(self, ref: TrainingRef) -> Naming:
        """Return how this training is called: by its own watch, else by its service's."""
        return self.single.get(ref, self.naming)


def plan_polls(watches: Iterable[Watch]) -> tuple[Poll, ...]:
    """Join overlapping watches into looks: one training has one look, at the shorter interval.

    A watch of a single training adds its name and labels to those of its service's watch.
    """
    polls: dict[ServiceRef | TrainingRef, Poll] = {}
    for watch in sorted(watches, key=lambda watch: watch.training is not None):
        covering = polls.get(watch.service)
        if covering is None:
            target = watch.training or watch.service
            polls[target] = _merge(polls.get(target), watch)
        else:
            polls[watch.service] = _cover(covering, watch)
    return _join_single(polls.values())


def discovered(poll: Poll, service: ServiceRef, name: str | None) -> Poll:
    """Return the list call for a service that a look for every service has found."""
    naming = replace(poll.naming, name=poll.naming.name or name)
    return Poll(service=service, cadence=poll.cadence, naming=naming)


def _join_single(polls: Iterable[Poll]) -> tuple[Poll, ...]:
    by_service: dict[ServiceRef, list[Poll]] = {}
    for poll in polls:
        by_service.setdefault(poll.service, []).append(poll)
    return tuple(poll for group in by_service.values() for poll in _joined(group))


def _joined(polls: list[Poll]) -> list[Poll]:
    single = {poll.training: poll.naming for poll in polls if poll.training is not None}
    if len(single) < JOIN_FROM:
        return polls
    cadence = polls[0].cadence
    for poll in polls[1:]:
        cadence = _shorter(cadence, poll.cadence)
    return [Poll(service=polls[0].service, cadence=cadence, whole=False, single=single)]


def _merge(poll: Poll | None, watch: Watch) -> Poll:
    naming = Naming(name=watch.name, labels=watch.labels)
    if poll is None:
        return Poll(service=watch.service, training=watch.training, cadence=watch.cadence, naming=naming)
    return replace(poll, cadence=_shorter(poll.cadence, watch.cadence), naming=_specific(poll.naming, naming))


def _cover(poll: Poll, watch: Watch) -> Poll:
    if watch.training is None:
        return _merge(poll, watch)
    own = Naming(name=watch.name, labels=watch.labels)
    single = {**poll.single, watch.training: _specific(poll.naming_of(watch.training), own)}
    return replace(poll, cadence=_shorter(poll.cadence, watch.cadence), single=single)


def _specific(general: Naming, own: Naming) -> Naming:
    return Naming(name=own.name or general.name, labels={**general.labels, **own.labels})


def _shorter(first: Cadence, second: Cadence) -> Cadence:
    return Cadence(
        interval=min(first.interval, second.interval),
        idle_interval=min(first.idle_interval, second.idle_interval),
    )
