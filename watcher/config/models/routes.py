"""Routes, which lead events to receivers."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from watcher.config.faults import did_you_mean, invalid, quoted
from watcher.config.models.base import Settings
from watcher.config.models.fields import GroupWait, Label, ReceiverName, ValidationContext, as_tuple, frozen_mapping
from watcher.config.renamed import RENAMED_KINDS
from watcher.core.event import Kind
from watcher.core.routing.matcher import ALL_KINDS, LABEL, Matcher, matches_pattern
from watcher.core.routing.routes import MENTIONS_MAX, Route
from watcher.core.training.model import TRAIN_TYPES

KINDS: Final = frozenset(kind.value for kind in Kind)

PLANNED_KINDS: Final = frozenset({"started", "stopped", "caught-up"}) - KINDS
"""Kinds that are planned; no event has them yet."""

_MENTION: Final = re.compile(r"<(?:@[UW][0-9A-Z]{1,20}|!subteam\^S[0-9A-Z]{1,20}|!here|!channel|!everyone)>")
"""Source: https://docs.slack.dev/messaging/formatting-message-text/#mentioning-users."""
_BARE_USER: Final = re.compile(r"@?([UW][0-9A-Z]{5,20})")
_BARE_TEAM: Final = re.compile(r"@?(S[0-9A-Z]{5,20})")
_BARE_GROUP: Final = re.compile(r"@(here|channel|everyone)")
"""Common wrong forms of a mention."""


def _kind(word: str) -> str:
    if word in RENAMED_KINDS:
        remedy = f"write {quoted(RENAMED_KINDS[word])}"
        raise invalid(f"events of the kind {quoted(word)} have another name now", remedy)
    if word in PLANNED_KINDS:
        raise invalid(f"this version does not have it yet: events of the kind {quoted(word)}", "take it out")
    if word != ALL_KINDS and word not in KINDS:
        raise invalid(f"{quoted(word)} is no kind of event", did_you_mean(word, KINDS | {ALL_KINDS}))
    return word


def _account(word: str, info: ValidationInfo) -> str:
    context = info.context
    accounts = context.accounts if isinstance(context, ValidationContext) else ()
    if accounts and not any(matches_pattern(account, word) for account in accounts):
        raise invalid(f"{quoted(word)} is none of the accounts", did_you_mean(word, accounts))
    return word


def _type(word: str) -> str:
    if not any(matches_pattern(known, word) for known in TRAIN_TYPES):
        raise invalid(f"{quoted(word)} is no type of training", did_you_mean(word, TRAIN_TYPES))
    return word


def _mention(text: str) -> str:
    if not _MENTION.fullmatch(text):
        raise invalid(f"{quoted(text)} is no mention as Slack writes it", f"write {_markup_of(text)}")
    return text


def _markup_of(text: str) -> str:
    for bare, markup in ((_BARE_USER, "<@{}>"), (_BARE_TEAM, "<!subteam^{}>"), (_BARE_GROUP, "<!{}>")):
        found = bare.fullmatch(text)
        if found:
            return f'"{markup.format(found[1])}"'
    return '"<@U…>", "<!subteam^S…>", "<!here>" or "<!channel>", with the id that Slack shows'


def _word_or_list(value: object) -> object:
    return (value,) if isinstance(value, str) else as_tuple(value)


def _not_empty(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise invalid("names nothing, so the route would match nothing", "name something, or take the key out")
    return words


def _distinct(noun: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise invalid(f"names {quoted(repeated[0])} twice", f"name each {noun} once")
        return names

    return check


def _not_too_many(mentions: tuple[str, ...]) -> tuple[str, ...]:
    if len(mentions) > MENTIONS_MAX:
        raise invalid(f"names more than {MENTIONS_MAX}", "mention a user group of Slack instead")
    return mentions


Kinds = Annotated[
    tuple[Annotated[str, AfterValidator(_kind)], ...], BeforeValidator(_word_or_list), AfterValidator(_not_empty)
]
Accounts = Annotated[
    tuple[Annotated[str, AfterValidator(_account)], ...], BeforeValidator(_word_or_list), AfterValidator(_not_empty)
]
Types = Annotated[
    tuple[Annotated[str, AfterValidator(_type)], ...], BeforeValidator(_word_or_list), AfterValidator(_not_empty)
]
Words = Annotated[tuple[Label, ...], BeforeValidator(_word_or_list), AfterValidator(_not_empty)]
LabelWords = Annotated[Mapping[Label, Words], AfterValidator(frozen_mapping)]
Receivers = Annotated[tuple[ReceiverName, ...], BeforeValidator(as_tuple), AfterValidator(_distinct("receiver"))]
Mentions = Annotated[
    tuple[Annotated[str, AfterValidator(_mention)], ...],
    BeforeValidator(_word_or_list),
    AfterValidator(_distinct("person or team")),
    AfterValidator(_not_too_many),
]


class MatcherTable(Settings):
    """The key ``match`` of a route, as it is written."""

    kind: Kinds | None = None
    account: Accounts | None = None
    service: Words | None = None
    type: Types | None = None
    version: Words | None = None
    status: Words | None = None
    # "from" is a keyword of Python.
    from_: Words | None = Field(default=None, alias="from")
    labels: LabelWords = Field(default_factory=dict)

    @property
    def match(self) -> Matcher:
        """The matcher of the core."""
        keys = ("account", "service", "type", "version", "status")
        words = {key: words for key in keys if (words := getattr(self, key)) is not None}
        words |= {} if self.from_ is None else {"from": self.from_}
        words |= {LABEL + name: words for name, words in self.labels.items()}
        return Matcher(kinds=None if self.kind is None else frozenset(self.kind), patterns=frozen_mapping(words))


class RouteTable(Settings):
    """A table ``[[route]]``, as it is written."""

    match: MatcherTable = Field(default_factory=MatcherTable)
    to: Receivers = Field(examples=['["name-of-a-receiver"]'])
    # "continue" is a keyword of Python.
    continue_: bool = Field(default=False, alias="continue")
    mention: Mentions = ()
    group_for: GroupWait | None = None

    def route(self, number: int) -> Route:
        """Return the route of the core; ``number`` counts from 1."""
        return Route(
            number=number,
            match=self.match.match,
            to=self.to,
            continues=self.continue_,
            mentions=self.mention,
            group_for=self.group_for,
        )


def routes_of(tables: Iterable[RouteTable], receivers: Iterable[str]) -> tuple[Route, ...]:
    """Return the routes in order, or by default one route that sends the default kinds to every receiver."""
    routes = tuple(table.route(number) for number, table in enumerate(tables, start=1))
    return routes or (Route(number=1, to=tuple(receivers)),)
