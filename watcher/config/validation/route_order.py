"""Faults of routes that depend on their order or on their other keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from watcher.config.faults import KeyPath, UnplacedFault, quoted
from watcher.config.models.base import keys_of
from watcher.config.models.routes import MatcherTable
from watcher.config.validation.line_numbers import Lines
from watcher.core.routing.matcher import ALL_KINDS, Matcher

Table = Mapping[str, object]
Numbered = list[tuple[int, Table]]


def route_problems(routes: Numbered, watches: Numbered, lines: Lines) -> Iterator[UnplacedFault]:
    """Yield every such fault; each route and watch comes with its index."""
    yield from _last_route(routes)
    yield from _unreached_routes(routes, lines)
    yield from _drops_and_continues(routes)
    yield from _names_for_ids(routes, watches)


def _last_route(routes: Numbered) -> Iterator[UnplacedFault]:
    if routes and not _is_catch_all(routes[-1][1]):
        yield UnplacedFault(
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


def _unreached_routes(routes: Numbered, lines: Lines) -> Iterator[UnplacedFault]:
    earlier: list[tuple[KeyPath, Matcher]] = []
    for index, route in routes:
        match = _matcher_of(route)
        if match is None:
            continue
        path: KeyPath = ("route", index)
        covering = _covering_routes(match, earlier)
        if covering is not None:
            where = ", ".join(map(str, sorted({lines.of(route_path) or 0 for route_path in covering})))
            yield UnplacedFault(
                path,
                f"is never reached: the first match wins, and line {where} already matches all its events",
                "put it before, or take it out",
            )
        if route.get("continue", False) is False:
            earlier.append((path, match))


def _matcher_of(route: Table) -> Matcher | None:
    """Return the matcher of a route, or ``None`` for a faulty one, which has its own report."""
    try:
        return MatcherTable.model_validate(route.get("match", {})).match
    except ValidationError:
        return None


def _covering_routes(match: Matcher, earlier: list[tuple[KeyPath, Matcher]]) -> set[KeyPath] | None:
    """Return the earlier routes that match everything of ``match``, or ``None`` if something may remain."""
    covering = set()
    for kind in match.matched_kinds:
        covers = next((path for path, before in earlier if before.covers(match, kind)), None)
        if covers is None:
            return None
        covering.add(covers)
    return covering


def _drops_and_continues(routes: Numbered) -> Iterator[UnplacedFault]:
    for index, route in routes:
        if route.get("to") == [] and route.get("continue") is True:
            yield UnplacedFault(
                ("route", index, "continue"),
                "stands beside to = []: the route has no receiver, and drops nothing because later routes apply",
                "take continue out to drop the matching events, or name a receiver",
            )


def _names_for_ids(routes: Numbered, watches: Numbered) -> Iterator[UnplacedFault]:
    services = {watch.get("name"): watch.get("service") for _, watch in watches if isinstance(watch.get("name"), str)}
    ids = {service for _, watch in watches if isinstance(service := watch.get("service"), str)}
    for path, word in _services(routes):
        service = services.get(word)
        if word not in ids and isinstance(service, str):
            problem = f"{quoted(word)} is the name of a watch, and routes match by the id"
            yield UnplacedFault(path, problem, f"write {quoted(service)}")


def _services(routes: Numbered) -> Iterator[tuple[KeyPath, str]]:
    for index, route in routes:
        match = route.get("match")
        words = match.get("service") if isinstance(match, dict) else None
        for position, word in enumerate(words if isinstance(words, list) else [words]):
            if isinstance(word, str):
                yield ("route", index, "match", "service", position), word
