"""Faults of routes that only their order or their other keys show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from watcher.config.faults import KeyPath, Problem, shown
from watcher.config.models.base import keys_of
from watcher.config.models.routes import MatcherTable
from watcher.config.validation.line_numbers import Lines
from watcher.core.routing.matcher import ALL_KINDS, Matcher

Table = Mapping[str, object]
Numbered = list[tuple[int, Table]]


def route_problems(routes: Numbered, watches: Numbered, lines: Lines) -> Iterator[Problem]:
    """Find every such fault of the routes, each given with its index."""
    yield from _last_route(routes)
    yield from _unreached_routes(routes, lines)
    yield from _drops_and_goes_on(routes)
    yield from _names_for_ids(routes, watches)


def _last_route(routes: Numbered) -> Iterator[Problem]:
    if routes and not _is_catch_all(routes[-1][1]):
        yield Problem(
            ("route", routes[-1][0], "match"),
            "the last route must match everything",
            "take match out, or add a last [[route]] without it",
        )


def _is_catch_all(route: Table) -> bool:
    match = route.get("match", {})
    if not isinstance(match, dict):
        return True
    if match.keys() & keys_of(MatcherTable).keys() - {"kind"}:
        return False
    kind = match.get("kind")
    return kind is None or kind == ALL_KINDS or (isinstance(kind, list) and ALL_KINDS in kind)


def _unreached_routes(routes: Numbered, lines: Lines) -> Iterator[Problem]:
    earlier: list[tuple[KeyPath, Matcher]] = []
    for index, route in routes:
        match = _matcher_of(route)
        if match is None:
            continue
        path: KeyPath = ("route", index)
        takers = _takers(match, earlier)
        if takers is not None:
            where = ", ".join(map(str, sorted({lines.of(taker) or 0 for taker in takers})))
            yield Problem(
                path,
                f"is never reached: the first match wins, and what it names is taken on line {where}",
                "put it before, or take it out",
            )
        if route.get("continue", False) is False:
            earlier.append((path, match))


def _matcher_of(route: Table) -> Matcher | None:
    """Return what a route matches; ``None`` where that cannot be read, which is a fault of its own."""
    try:
        return MatcherTable.model_validate(route.get("match", {})).match
    except ValidationError:
        return None


def _takers(match: Matcher, earlier: list[tuple[KeyPath, Matcher]]) -> set[KeyPath] | None:
    """Return the routes that leave nothing of a match over; ``None`` where something may be."""
    found = set()
    for kind in match.matched_kinds:
        taker = next((path for path, before in earlier if before.covers(match, kind)), None)
        if taker is None:
            return None
        found.add(taker)
    return found


def _drops_and_goes_on(routes: Numbered) -> Iterator[Problem]:
    for index, route in routes:
        if route.get("to") == [] and route.get("continue") is True:
            yield Problem(
                ("route", index, "continue"),
                "stands beside to = []: the route tells nobody, and drops nothing since the next ones go on",
                "take continue out to drop what matches, or name a receiver",
            )


def _names_for_ids(routes: Numbered, watches: Numbered) -> Iterator[Problem]:
    services = {watch.get("name"): watch.get("service") for _, watch in watches if isinstance(watch.get("name"), str)}
    ids = {service for _, watch in watches if isinstance(service := watch.get("service"), str)}
    for path, word in _services(routes):
        meant = services.get(word)
        if word not in ids and isinstance(meant, str):
            yield Problem(
                path, f"{shown(word)} is the name of a watch, and routes go by the id", f"write {shown(meant)}"
            )


def _services(routes: Numbered) -> Iterator[tuple[KeyPath, str]]:
    for index, route in routes:
        match = route.get("match")
        words = match.get("service") if isinstance(match, dict) else None
        for place, word in enumerate(words if isinstance(words, list) else [words]):
            if isinstance(word, str):
                yield ("route", index, "match", "service", place), word
