"""The polls for the watches of a configuration: a list call for a service, a view call for a single training.

Two or more single trainings of one service share a list call, which takes fewer requests. Watches with a pattern, such
as ``service = "*"`` or ``"6wx*"``, share one poll of the account's list of services, and each service in it that
matches gets a list call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from watcher.core.event import NO_LABELS, NO_LINKS
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.matcher import is_pattern, matches_pattern
from watcher.core.training.links import filled_in
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.training.overdue import LEARNED_PERIODS, RetrainingRules
from watcher.core.training.stuck_rules import StuckRules

EVERY_SERVICE: Final = "*"
JOIN_FROM: Final = 2
"""Single trainings of one service from which one list call takes fewer requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watch of the configuration: a service, one training, or every service that a pattern matches."""

    service: ServiceRef
    training: TrainingRef | None = None
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """Templates of addresses, see ``core.training.links``."""
    stuck_rules: StuckRules | None = None
    """``stuck_after``."""
    retraining_rules: RetrainingRules = LEARNED_PERIODS
    """``expect_every`` and ``stale_after``."""
    updates: bool | None = None
    """``updates``; ``None`` where the watch does not say."""
    cadence: Cadence


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAttributes:
    """What a watch says about its trainings: their name, labels and links, and the rules by which they are late."""

    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """Templates of addresses."""
    stuck_rules: StuckRules | None = None
    """When a training may be stuck; ``None`` where the watch does not say."""
    retraining_rules: RetrainingRules = LEARNED_PERIODS
    """When a retraining of the service is overdue."""
    updates: bool | None = None
    """Whether the updates of the service are polled, if it is an interval service; ``None`` means yes."""

    def links_of(self, service: ServiceRef, training: TrainingRef | None = None) -> Mapping[str, str]:
        """Return the addresses of the pages of a service or training."""
        if not self.links:
            return NO_LINKS
        values = {"account": service.account, "service": service.service, "name": self.name or service.service}
        own = {} if training is None else {"type": training.type, "version": training.version}
        return filled_in(self.links, {**values, **own})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePattern:
    """A watch of every service of an account whose id matches."""

    pattern: str
    cadence: Cadence
    attributes: WatchAttributes = WatchAttributes()

    @property
    def specificity(self) -> int:
        """The number of characters that are no wildcard: more of them make a watch more specific."""
        return sum(character not in "*?" for character in self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One request to AiTEMS that is repeated."""

    service: ServiceRef
    training: TrainingRef | None = None
    """The one training of a view call; ``None`` for a list call."""
    cadence: Cadence
    attributes: WatchAttributes = WatchAttributes()
    whole_service: bool = True
    """Whether every training of the service is watched, or only those in ``single``."""
    single: Mapping[TrainingRef, WatchAttributes] = field(default_factory=dict, hash=False)
    """Trainings of a list call that have watches of their own; their attributes take precedence."""
    single_by_service: Mapping[ServiceRef, Mapping[TrainingRef, WatchAttributes]] = field(
        default_factory=dict, hash=False
    )
    """For the list of services: ``single`` of the polls that it may find."""
    from_pattern: bool = False
    """Whether only a pattern watches the service: the list of services then says whether it exists."""
    patterns: tuple[ServicePattern, ...] = ()
    """For the list of services: the watched patterns, the most general first; empty means every service."""

    @property
    def discovers(self) -> bool:
        """Whether this polls the account's list of services."""
        return self.service.service == EVERY_SERVICE

    @property
    def finds_new(self) -> bool:
        """Whether an unknown training in the answer makes an event, as a new one."""
        return self.training is None and self.whole_service

    @property
    def asks_updates(self) -> bool:
        """Whether the updates of the service are polled, if it is an interval service."""
        return self.finds_new and not self.discovers and self.attributes.updates is not False

    @property
    def key(self) -> str:
        """The poll's key in the store.

        A list call for single trainings has a key of its own, because it covers only those.
        """
        if self.training is not None:
            return self.training.subject
        return self.service.subject if self.whole_service else joined_key(self.service)

    def concerns(self, ref: TrainingRef) -> bool:
        """Return whether a training in the answer is watched."""
        return self.whole_service or ref in self.single

    def attributes_of(self, ref: TrainingRef) -> WatchAttributes:
        """Return the attributes of a training: those of its own watch, or else of its service's."""
        return self.single.get(ref, self.attributes)


def joined_key(service: ServiceRef) -> str:
    """Return the key of a list call for single trainings of a service."""
    return f"joined {service.subject}"


def plan_polls(watches: Iterable[Watch]) -> tuple[Poll, ...]:
    """Return the polls for these watches; each training has one poll, at the shortest of its intervals.

    A watch of a single training adds its name and labels to those of its service's watch.
    """
    watches = tuple(watches)
    discovering = _discovering_polls(watch for watch in watches if is_pattern(watch.service.service))
    exact = _exact_polls(watch for watch in watches if not is_pattern(watch.service.service))
    merged = [_with_patterns(poll, discovering.get(poll.service.account)) for poll in exact]
    return (*merged, *(_with_single(poll, merged) for poll in discovering.values()))


def _exact_polls(watches: Iterable[Watch]) -> tuple[Poll, ...]:
    polls: dict[ServiceRef | TrainingRef, Poll] = {}
    for watch in sorted(watches, key=lambda watch: watch.training is not None):
        covering = polls.get(watch.service)
        if covering is None:
            target = watch.training or watch.service
            polls[target] = _merge(polls.get(target), watch)
        else:
            polls[watch.service] = _add_to_service(covering, watch)
    return _join_single_polls(polls.values())


def discovered(poll: Poll, service: ServiceRef, name: str | None) -> Poll | None:
    """Return the list call for a service from the account's list; ``None`` where no pattern matches."""
    every = (ServicePattern(pattern=EVERY_SERVICE, cadence=poll.cadence, attributes=poll.attributes),)
    matching = [item for item in poll.patterns or every if matches_pattern(service.service, item.pattern)]
    if not matching:
        return None
    cadence, attributes = _together(matching)
    single = poll.single_by_service.get(service, {})
    return Poll(
        service=service,
        cadence=cadence,
        attributes=replace(attributes, name=attributes.name or name),
        single=single,
        from_pattern=True,
    )


def _together(patterns: Iterable[ServicePattern]) -> tuple[Cadence, WatchAttributes]:
    """Return the shortest intervals, and the names and labels of which the more specific take precedence."""
    first, *others = patterns
    cadence, attributes = first.cadence, first.attributes
    for other in others:
        cadence, attributes = _shorter(cadence, other.cadence), _specific(attributes, other.attributes)
    return cadence, attributes


def _discovering_polls(watches: Iterable[Watch]) -> dict[str, Poll]:
    """Return one poll of the list of services for each account with patterns."""
    patterns: dict[str, list[ServicePattern]] = {}
    for watch in watches:
        attributes = _attributes(watch)
        found = ServicePattern(pattern=watch.service.service, cadence=watch.cadence, attributes=attributes)
        patterns.setdefault(watch.service.account, []).append(found)
    return {account: _discovering_poll(account, found) for account, found in patterns.items()}


def _discovering_poll(account: str, patterns: Iterable[ServicePattern]) -> Poll:
    ordered = tuple(sorted(patterns, key=lambda item: item.specificity))
    cadence, attributes = _together(ordered)
    attributes = attributes if len(ordered) == 1 else WatchAttributes()
    return Poll(service=ServiceRef(account, EVERY_SERVICE), cadence=cadence, attributes=attributes, patterns=ordered)


def _with_patterns(poll: Poll, discovering: Poll | None) -> Poll:
    """Return the poll of a watch with the settings of the patterns that match its service, too."""
    general = None if discovering is None else discovered(discovering, poll.service, None)
    if general is None:
        return poll
    single = {ref: _specific(general.attributes, own) for ref, own in poll.single.items()}
    cadence = _shorter(poll.cadence, general.cadence)
    return replace(poll, cadence=cadence, attributes=_specific(general.attributes, poll.attributes), single=single)


def _with_single(discovering: Poll, polls: Iterable[Poll]) -> Poll:
    """Return the poll of a list of services with the trainings of that account that have watches of their own."""
    single: dict[ServiceRef, dict[TrainingRef, WatchAttributes]] = {}
    for poll in polls:
        if poll.service.account == discovering.service.account:
            own = poll.single if poll.training is None else {poll.training: poll.attributes}
            single.setdefault(poll.service, {}).update(own)
    return replace(discovering, single_by_service=single)


def _join_single_polls(polls: Iterable[Poll]) -> tuple[Poll, ...]:
    by_service: dict[ServiceRef, list[Poll]] = {}
    for poll in polls:
        by_service.setdefault(poll.service, []).append(poll)
    return tuple(poll for group in by_service.values() for poll in _as_one_list(group))


def _as_one_list(polls: list[Poll]) -> list[Poll]:
    single = {poll.training: poll.attributes for poll in polls if poll.training is not None}
    if len(single) < JOIN_FROM:
        return polls
    cadence = polls[0].cadence
    for poll in polls[1:]:
        cadence = _shorter(cadence, poll.cadence)
    return [Poll(service=polls[0].service, cadence=cadence, whole_service=False, single=single)]


def _merge(poll: Poll | None, watch: Watch) -> Poll:
    attributes = _attributes(watch)
    if poll is None:
        return Poll(service=watch.service, training=watch.training, cadence=watch.cadence, attributes=attributes)
    return replace(
        poll, cadence=_shorter(poll.cadence, watch.cadence), attributes=_specific(poll.attributes, attributes)
    )


def _add_to_service(poll: Poll, watch: Watch) -> Poll:
    if watch.training is None:
        return _merge(poll, watch)
    own = _attributes(watch)
    single = {**poll.single, watch.training: _specific(poll.attributes_of(watch.training), own)}
    return replace(poll, cadence=_shorter(poll.cadence, watch.cadence), single=single)


def _attributes(watch: Watch) -> WatchAttributes:
    return WatchAttributes(
        name=watch.name,
        labels=watch.labels,
        links=watch.links,
        stuck_rules=watch.stuck_rules,
        retraining_rules=watch.retraining_rules,
        updates=watch.updates,
    )


def _specific(general: WatchAttributes, own: WatchAttributes) -> WatchAttributes:
    return WatchAttributes(
        name=own.name or general.name,
        labels={**general.labels, **own.labels},
        links={**general.links, **own.links},
        stuck_rules=own.stuck_rules or general.stuck_rules,
        retraining_rules=general.retraining_rules.under(own.retraining_rules),
        updates=general.updates if own.updates is None else own.updates,
    )


def _shorter(first: Cadence, second: Cadence) -> Cadence:
    return Cadence(
        interval=min(first.interval, second.interval),
        idle_interval=min(first.idle_interval, second.idle_interval),
        adapts=first.adapts and second.adapts,
    )
