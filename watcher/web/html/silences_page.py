"""The page of silences, and the check of its form."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from starlette.datastructures import QueryParams

from watcher.config import Config
from watcher.config.models.matchers import MatcherError, matcher, silenced
from watcher.core.action import AUTHOR_MAX, OF_SILENCES, Action
from watcher.core.duration import parse_duration
from watcher.core.routing.matcher import Matcher, patterns_of
from watcher.core.routing.silence import LONGEST, REASON_MAX, Silence, is_allowed_length
from watcher.core.training.model import ServiceRef
from watcher.reading.services import known_names, names_unwatched
from watcher.store.views import Views
from watcher.web.html.deliveries_page import read_done
from watcher.web.html.language.texts import Texts
from watcher.web.html.overview_page import silence_text
from watcher.web.html.session import Session
from watcher.web.html.site import Site

FIELDS: Final = ("match", "length", "reason", "author")
ENDED: Final = 20
FIELD_MAX: Final = 200
"""The most characters of a value that an address presets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceForm:
    """The form for a silence as it was typed, with the problem of each field that cannot be used."""

    match: str = ""
    length: str = ""
    reason: str = ""
    author: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    """By field."""
    refused: str = ""
    """Why the watcher refused what each field allows."""

    def problem(self, name: str) -> str:
        """Return the problem of a field; empty where it can be used."""
        return self.problems.get(name, "")

    @property
    def first_problem(self) -> str:
        """The first field that cannot be used; empty where each can."""
        return next((name for name in FIELDS if name in self.problems), "")


def preset(query: QueryParams, author: str) -> SilenceForm:
    """Return the form as the address of the page fills it."""
    return SilenceForm(match=query.get("match", "")[:FIELD_MAX], length="4h", author=author)


def as_typed(
    given: Mapping[str, str], problems: Mapping[str, str] = MappingProxyType({}), refused: str = ""
) -> SilenceForm:
    """Return the form as somebody has sent it."""
    match, length, reason, author = (given.get(name, "").strip() for name in FIELDS)
    return SilenceForm(match=match, length=length, reason=reason, author=author, problems=problems, refused=refused)


def silence_of(
    given: Mapping[str, str], config: Config, ids: Mapping[str, str], texts: Texts
) -> SilenceForm | dict[str, object]:
    """Return the arguments of the operation, or the form with its problems.

    Args:
        given: the fields.
        config: the active configuration.
        ids: the ids of the services, by their names.
        texts: the texts of the page.
    """
    values = {name: given.get(name, "").strip() for name in FIELDS}
    problems: dict[str, str] = {}
    match = _match(values["match"], (config, ids), texts, problems)
    lasts = _length(values["length"], texts, problems)
    for name, longest in (("reason", REASON_MAX), ("author", AUTHOR_MAX)):
        if not values[name]:
            problems[name] = texts(f"{name}-missing")
        elif len(values[name]) > longest:
            problems[name] = texts("too-long", n=longest)
    if problems:
        return as_typed(given, problems)
    return {
        "match": patterns_of(match),
        "seconds": lasts.total_seconds(),
        "why": values["reason"],
        "by": values["author"],
    }


def _match(text: str, known: tuple[Config, Mapping[str, str]], texts: Texts, problems: dict[str, str]) -> Matcher:
    if not text:
        # Without a matcher, a silence would stop everything: that is to be written.
        problems["match"] = texts("match-missing")
    config, ids = known
    try:
        return silenced(matcher(_words(text, texts), config.accounts, ids))
    except MatcherError as error:
        problems["match"] = str(error)
        return Matcher()


def _words(text: str, texts: Texts) -> list[str]:
    """Return the matchers of a text; one with blanks stands in quotes, as ``match_text`` writes it."""
    lexer = shlex.shlex(text, posix=True)
    # Only blanks and quotation marks mean something: a name may have a backslash or a number sign.
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        raise MatcherError(texts("match-quote")) from None


def _length(text: str, texts: Texts, problems: dict[str, str]) -> timedelta:
    try:
        lasts = parse_duration(text)
    except ValueError as error:
        problems["length"] = str(error)
        return timedelta()
    if not is_allowed_length(lasts):
        problems["length"] = texts("length-wrong", days=LONGEST.days)
    return lasts


async def silences_page(site: Site, session: Session, form: SilenceForm, *, target: str = "", live: str = "") -> str:
    """Return the page; ``target`` is the id of the silence that was just added or ended."""
    now = site.sources.utc_now()

    def read(views: Views) -> tuple[list[Silence], Action | None, set[ServiceRef]]:
        watched = set(known_names(site.sources.config(), views.polls()))
        return views.every_silence(), read_done(views, target, OF_SILENCES, now), watched

    found, done, watched = await site.sources.read(read)
    values = silences_values(found, done, form, now, site.renderer.texts)
    values["unwatched"] = {item.id for item in found if names_unwatched(item.match, watched)}
    return site.renderer.html("silences.html", session, now, live=live, **values)


def silences_values(
    found: Sequence[Silence], done: Action | None, form: SilenceForm, now: datetime, texts: Texts
) -> dict[str, object]:
    """Return the values of the template."""
    active = [item for item in found if item.active(now)]
    ended = [item for item in found if not item.active(now)][-ENDED:]
    return {
        "nav": "silences",
        "silenced": len(active),
        "lists": [(texts("active-silences"), active, True), (texts("ended-silences"), ended[::-1], False)],
        "silence_text": silence_text,
        "form": form,
        "done": "" if done is None else texts(f"done-{done.kind.value}"),
    }
