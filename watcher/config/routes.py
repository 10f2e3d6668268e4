"""Routes: which kinds of events go to which receivers."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from watcher.config.base import Settings
from watcher.config.faults import did_you_mean, shown, wrong
from watcher.config.fields import ReceiverName
from watcher.core.event import DEFAULT_KINDS, Kind
from watcher.core.routing import ALL_KINDS

EVERY_KIND: Final = frozenset({ALL_KINDS})

KINDS: Final = frozenset(kind.value for kind in Kind)

LATER_KINDS: Final = (
    frozenset(
        {
            *("stuck", "unstuck", "unusable", "overdue", "update-failed", "update-succeeded"),
            *("receiver-broken", "receiver-mended", "started", "stopped", "caught-up"),
        }
    )
    - KINDS
)
"""Kinds that are planned and that no event has yet."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route; ``kinds`` is ``None`` for the default kinds and ``EVERY_KIND`` for all."""

    kinds: frozenset[str] | None
    to: tuple[str, ...]
    """Names of receivers; empty to drop what matches."""


def kinds_taken(kinds: frozenset[str] | None) -> frozenset[str]:
    """Return the kinds that a route with these ``kinds`` takes, each by its own name."""
    if kinds is None:
        return frozenset(DEFAULT_KINDS)
    return KINDS if kinds >= EVERY_KIND else kinds


def _kind(word: str) -> str:
    if word in LATER_KINDS:
        raise wrong(f"this version does not have it yet: events of the kind {shown(word)}", "take it out")
    if word != ALL_KINDS and word not in KINDS:
        raise wrong(f"{shown(word)} is no kind of event", did_you_mean(word, KINDS | EVERY_KIND))
    return word


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _word_or_list(value: object) -> object:
    return (value,) if isinstance(value, str) else _as_tuple(value)


def _not_empty(kinds: tuple[str, ...]) -> tuple[str, ...]:
    if not kinds:
        raise wrong("names no kind, so the route would match nothing", "name a kind, or take match out")
    return kinds


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise wrong(f"names {shown(twice[0])} twice", "name each receiver once")
    return names


Kinds = Annotated[
    tuple[Annotated[str, AfterValidator(_kind)], ...],
    BeforeValidator(_word_or_list),
    AfterValidator(_not_empty),
]
Receivers = Annotated[tuple[ReceiverName, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct)]


class MatchTable(Settings):
    """The key ``match`` of a route, as it is written."""

    kind: Kinds | None = None


class RouteTable(Settings):
    """A table ``[[route]]``, as it is written."""

    match: MatchTable = MatchTable()
    to: Receivers = Field(examples=['["name-of-a-receiver"]'])

    @property
    def route(self) -> Route:
        """What it says."""
        kinds = self.match.kind
        return Route(None if kinds is None else frozenset(kinds), self.to)


def routes_of(tables: Iterable[RouteTable], receivers: Iterable[str]) -> tuple[Route, ...]:
    """Return the routes in order; without any, one that takes the default kinds to every receiver."""
    return tuple(table.route for table in tables) or (Route(None, tuple(receivers)),)
