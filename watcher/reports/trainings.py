"""The trainings that ``status`` shows, and the counts of all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from watcher.core.polling.plan import Poll
from watcher.core.routing.matcher import matches_pattern
from watcher.core.training.model import NOT_ENDED, Phase, ServiceRef, TrainingRef, phase_of

if TYPE_CHECKING:
    from watcher.store.trainings import TrainingCount

SHORT: Final = 20
"""So many trainings are shown one by one; of more, only those in progress."""
NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTotals:
    """How many trainings there are."""

    by_status: Mapping[str, int] = field(default_factory=lambda: NO_COUNTS, hash=False)
    """Watched trainings that exist, by recorded status, the most first."""
    unconfirmed: int = 0
    """Watched trainings whose first status waits for confirmation."""
    gone: int = 0
    not_watched: int = 0

    @property
    def total(self) -> int:
        """Every recorded training."""
        return sum(self.by_status.values()) + self.unconfirmed + self.gone + self.not_watched

    def of(self, phase: Phase) -> int:
        """Return the number of watched trainings in a phase."""
        return sum(count for status, count in self.by_status.items() if phase_of(status) is phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which trainings to show; without a filter, all of a few, or else those in progress."""

    failed: bool = False
    in_progress: bool = False
    everything: bool = False
    """Every training that the filters take, however many they are."""
    service: str | None = None
    """A pattern for the id or the name of a service."""
    only: ServiceRef | None = None
    """The one service of a service's page."""
    limit: int = SHORT

    def statuses(self, counts: Iterable[TrainingCount]) -> frozenset[str | None]:
        """Return the recorded statuses to show."""
        found = list(counts)
        statuses = {item.status for item in found}
        if self.shows_all(found):
            return frozenset(statuses)
        phases = ({Phase.FAILED} if self.failed else set()) | (NOT_ENDED if self.shows_progress else set())
        return frozenset(status for status in statuses if _phase(status) in phases)

    @property
    def filters_services(self) -> bool:
        """Whether only some services are shown."""
        return self.service is not None or self.only is not None

    @property
    def shows_progress(self) -> bool:
        """Whether trainings in progress are shown."""
        return self.in_progress or not self.failed

    def shows_all(self, counts: Iterable[TrainingCount]) -> bool:
        """Return whether trainings are shown whatever their status."""
        if self.failed or self.in_progress:
            return False
        return self.everything or self.only is not None or sum(item.count for item in counts) <= SHORT


NO_FILTER: Final = Selection()


@dataclass(frozen=True, slots=True)
class Watched:
    """Which trainings the configuration watches."""

    services: frozenset[ServiceRef]
    """Services whose every training is watched."""
    single: frozenset[TrainingRef]

    def __contains__(self, ref: TrainingRef) -> bool:
        """Return whether a training is watched."""
        return ref.service_ref in self.services or ref in self.single


def watched(polls: Iterable[Poll]) -> Watched:
    """Return the trainings that these polls serve."""
    services, single = set[ServiceRef](), set[TrainingRef]()
    for poll in polls:
        if poll.training is not None:
            single.add(poll.training)
        elif poll.whole_service:
            services.add(poll.service)
        else:
            single.update(poll.single)
    return Watched(frozenset(services), frozenset(ref for ref in single if ref.service_ref not in services))


def totals(counts: Sequence[TrainingCount], known: Iterable[TrainingCount], watches: Watched) -> TrainingTotals:
    """Add the counts up; ``known`` are the trainings of ``watches.single``, one by one."""
    served = [*(item for item in counts if item.service in watches.services), *known]
    existing: Counter[str | None] = Counter()
    for item in served:
        existing[item.status] += 0 if item.gone else item.count
    unconfirmed = existing.pop(None, 0)
    return TrainingTotals(
        by_status={str(status): count for status, count in existing.most_common() if count},
        unconfirmed=unconfirmed,
        gone=sum(item.count for item in served if item.gone),
        not_watched=sum(item.count for item in counts) - sum(item.count for item in served),
    )


def service_names(polls: Iterable[Poll]) -> dict[ServiceRef, set[str]]:
    """Return the configured names of each service."""
    names: dict[ServiceRef, set[str]] = {}
    for poll in polls:
        own = names.setdefault(poll.service, set())
        if poll.attributes.name:
            own.add(poll.attributes.name)
        own.update(attributes.name for attributes in poll.single.values() if attributes.name)
    return names


def text_by_id(text: str, names: Mapping[ServiceRef, set[str]]) -> str:
    """Return a part of a training with the id of its service where it begins with the name of one service."""
    # A name may contain a slash itself.
    for name, rest in ((text, ""), *_heads(text)):
        named = [service for service, own in names.items() if name in own]
        if len(named) == 1:
            return f"{named[0].account}/{named[0].service}{rest}"
    return text


def _heads(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts before a slash, each with the rest, the longest first."""
    return ((text[:place], text[place:]) for place in range(len(text) - 1, 0, -1) if text[place] == "/")


def unique_names(names: Mapping[ServiceRef, set[str]]) -> dict[ServiceRef, str]:
    """Return the name to show for each service that has one of its own; that of several is ambiguous."""
    counts = Counter(name for own in names.values() for name in own)
    shown = ((service, [name for name in own if counts[name] == 1]) for service, own in names.items())
    return {service: min(own) for service, own in shown if own}


def service_filter(selection: Selection, names: Mapping[ServiceRef, set[str]]) -> Callable[[ServiceRef], bool]:
    """Return the condition on services: by id, by name, or either after ``account/``."""

    def takes(service: ServiceRef) -> bool:
        if selection.only is not None:
            return service == selection.only
        return selection.service is None or any(
            matches_pattern(text, selection.service)
            for name in (service.service, *names.get(service, ()))
            for text in (name, f"{service.account}/{name}")
        )

    return takes


def _phase(status: str | None) -> Phase:
    return Phase.UNKNOWN if status is None else phase_of(status)
