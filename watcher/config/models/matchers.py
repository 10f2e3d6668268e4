"""Matchers of a command line, ``key=word``, with the checks of a route's ``match``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from watcher.config.faults import UnplacedFault, did_you_mean, quoted
from watcher.config.models.fields import ValidationContext
from watcher.config.models.routes import MatcherTable
from watcher.config.validation.explain import explain
from watcher.core.routing.matcher import ALL_KINDS, LABEL, Matcher
from watcher.core.routing.silence import EXEMPT

KEYS: Final = ("kind", "account", "service", "type", "version", "status", "from")
LABELS: Final = "labels"
NO_IDS: Final[Mapping[str, str]] = MappingProxyType({})


class MatcherError(ValueError):
    """A matcher is rejected; the text names each problem with its remedy."""


def matcher(texts: Iterable[str], accounts: Iterable[str], ids: Mapping[str, str] = NO_IDS) -> Matcher:
    """Read matchers. A key with several words matches any one of them, given by commas or by repeating the key.

    Args:
        texts: the arguments of the command line.
        accounts: the configured accounts.
        ids: the ids of the services, by their names.

    Raises:
        MatcherError: a matcher cannot be used.
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
    """Return the matcher of a silence: without a kind, it matches every kind that can be silenced.

    Raises:
        MatcherError: it names a kind that is never silenced.
    """
    if match.kinds is None:
        return replace(match, kinds=frozenset({ALL_KINDS}))
    if exempt := match.kinds & EXEMPT:
        names = ", ".join(sorted(exempt))
        raise MatcherError(
            f"kind: {names} reports a failure of the watcher or a receiver, and is never silenced; take it out"
        )
    return match


def _split(text: str) -> tuple[str, list[str]]:
    key, _, value = text.partition("=")
    words = value.split(",")
    if not all(words):
        example = "service=6wxgu1abcde or kind=failed,gone"
        raise MatcherError(f"{quoted(text)} is no matcher; write KEY=WORD, e.g. {example}")
    if key not in KEYS and (not key.startswith(LABEL) or key == LABEL):
        raise MatcherError(f"{quoted(key)} is no key of a matcher; {_remedy(key)}")
    return key, words


def _remedy(key: str) -> str:
    if key in {LABELS, LABEL, "label"}:
        return "write labels.NAME=WORD, e.g. labels.env=prod"
    return did_you_mean(key, (*KEYS, "labels.NAME"))


def _refuse_names(services: Iterable[str], ids: Mapping[str, str]) -> None:
    for word in services:
        if word in ids and word not in ids.values():
            raise MatcherError(f"service: {quoted(word)} is the name of a service; write its id, {quoted(ids[word])}")


def _table(words: Mapping[str, list[str]]) -> dict[str, object]:
    plain: dict[str, object] = {key: found for key, found in words.items() if not key.startswith(LABEL)}
    named = {key.removeprefix(LABEL): found for key, found in words.items() if key.startswith(LABEL)}
    return plain | {LABELS: named}


def _text(problem: UnplacedFault) -> str:
    key = ".".join(part for part in problem.path if isinstance(part, str))
    return f"{key}: {problem.problem}; {problem.remedy}"
