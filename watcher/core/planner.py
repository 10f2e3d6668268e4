"""Which looks serve which watches: one list call for a service, one view call for a single training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from watcher.core.cadence import Cadence
from watcher.core.event import NO_LABELS
from watcher.core.training import ServiceRef, TrainingRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What somebody asked us to watch: a whole service, or one training of it."""

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
class Look:
    """One recurring question to AiTEMS."""

    service: ServiceRef
    training: TrainingRef | None
    """The one training of a view call; ``None`` for a list call."""
    cadence: Cadence
    naming: Naming
    single: Mapping[TrainingRef, Naming] = field(default_factory=dict, hash=False)
    """Trainings of a list call's service that are watched by themselves too; their naming goes first."""

    @property
    def finds_new(self) -> bool:
        """Whether a training that was not there before is told as new."""
        return self.training is None

    @property
    def key(self) -> str:
        """The look's key in the store."""
        return self.training.subject if self.training else self.service.subject

    def naming_of(self, ref: TrainingRef) -> Naming:
        """Return how this training is called: by its own watch, else by its service's."""
        return self.single.get(ref, self.naming)


def plan_looks(watches: Iterable[Watch]) -> tuple[Look, ...]:
    """Join overlapping watches into looks: one training has one look, at the shorter interval.

    A watch of a single training adds its name and labels to those of its service's watch.
    """
    looks: dict[ServiceRef | TrainingRef, Look] = {}
    for watch in sorted(watches, key=lambda watch: watch.training is not None):
        covering = looks.get(watch.service)
        if covering is None:
            target = watch.training or watch.service
            looks[target] = _merge(looks.get(target), watch)
        else:
            looks[watch.service] = _cover(covering, watch)
    return tuple(looks.values())


def _merge(look: Look | None, watch: Watch) -> Look:
    naming = Naming(name=watch.name, labels=watch.labels)
    if look is None:
        return Look(service=watch.service, training=watch.training, cadence=watch.cadence, naming=naming)
    return replace(look, cadence=_shorter(look.cadence, watch.cadence), naming=_specific(look.naming, naming))


def _cover(look: Look, watch: Watch) -> Look:
    if watch.training is None:
        return _merge(look, watch)
    own = Naming(name=watch.name, labels=watch.labels)
    single = {**look.single, watch.training: _specific(look.naming_of(watch.training), own)}
    return replace(look, cadence=_shorter(look.cadence, watch.cadence), single=single)


def _specific(general: Naming, own: Naming) -> Naming:
    return Naming(name=own.name or general.name, labels={**general.labels, **own.labels})


def _shorter(first: Cadence, second: Cadence) -> Cadence:
    return Cadence(
        interval=min(first.interval, second.interval),
        idle_interval=min(first.idle_interval, second.idle_interval),
    )
