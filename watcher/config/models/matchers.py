"""Matchers as they are written on a command line, ``key=word``, checked as the ``match`` of a route is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from watcher.config.faults import Problem, did_you_mean, shown
from watcher.config.models.fields import ValidationContext
from watcher.config.models.routes import MatcherTable
from watcher.config.validation.explain import explain
from watcher.core.routing.matcher import ALL_KINDS, LABEL, Matcher
from watcher.core.routing.silence import EXEMPT

KEYS: Final = ("kind", "account", "service", "type", "version", "status")
LABELS: Final = "labels"
NO_IDS: Final[Mapping[str, str]] = MappingProxyType({})


class MatcherError(ValueError):
    """A matcher is refused; the text says what is wrong with each of them and what to write instead."""


def matcher(texts: Iterable[str], accounts: Iterable[str], ids: Mapping[str, str] = NO_IDS) -> Matcher:
    """Read matchers: a key given several times, or several words between commas, fits by any one of them.

    Args:
        texts: as they were written.
        accounts: those that are configured.
        ids: the ids of the services, by the names that watches give them.

    Raises:
        MatcherError: one of them cannot be used.
    """
    words: dict[str, list[str]] = {}
    for text in texts:
        key, found = _split(text)
        words.setdefault(key, []).extend(found)
    _refuse_names(words.get("service", ()), ids)
    try:
        return MatcherTable.model_validate(_table(words), context=ValidationContext(Path(), tuple(accounts))).match
    except ValidationError as error:
        problems = explain(error.errors(include_url=False))
        raise MatcherError("\n".join(_text(problem) for problem in problems)) from None


def silenced(match: Matcher) -> Matcher:
    """Return what a silence makes of a matcher: without a kind it takes every one that can be silenced.

    Raises:
        MatcherError: it names a kind that is never silenced.
    """
    if match.kinds is None:
        return replace(match, kinds=frozenset({ALL_KINDS}))
    if loud := match.kinds & EXEMPT:
        names = ", ".join(sorted(loud))
        raise MatcherError(f"kind: {names} tells that the watcher cannot tell, and is never silenced; take it out")
    return match


def _split(text: str) -> tuple[str, list[str]]:
    key, _, value = text.partition("=")
    found = value.split(",")
    if not all(found):
        raise MatcherError(f"{shown(text)} is no matcher; write KEY=WORD, e.g. service=6wxgu1abcde or kind=failed,gone")
    if key not in KEYS and (not key.startswith(LABEL) or key == LABEL):
        raise MatcherError(f"{shown(key)} is no key of a matcher; {_remedy(key)}")
    return key, found


def _remedy(key: str) -> str:
    if key in {LABELS, LABEL, "label"}:
        return "write labels.NAME=WORD, e.g. labels.env=prod"
    return did_you_mean(key, (*KEYS, "labels.NAME"))


def _refuse_names(services: Iterable[str], ids: Mapping[str, str]) -> None:
    for word in services:
        if word in ids and word not in ids.values():
            raise MatcherError(f"service: {shown(word)} is the name of a watch; write its id, {shown(ids[word])}")


def _table(words: Mapping[str, list[str]]) -> dict[str, object]:
    plain: dict[str, object] = {key: found for key, found in words.items() if not key.startswith(LABEL)}
    named = {key.removeprefix(LABEL): found for key, found in words.items() if key.startswith(LABEL)}
    return plain | {LABELS: named}


def _text(problem: Problem) -> str:
    key = ".".join(part for part in problem.path if isinstance(part, str))
    return f"{key}: {problem.problem}; {problem.remedy}"
