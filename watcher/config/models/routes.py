"""Routes: which events go to which receivers."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from watcher.config.faults import did_you_mean, shown, wrong
from watcher.config.models.base import Settings
from watcher.config.models.fields import GroupPatience, Label, ReceiverName, ValidationContext, frozen_mapping
from watcher.config.renamed import RENAMED_KINDS
from watcher.core.event import Kind
from watcher.core.routing.matcher import ALL_KINDS, LABEL, Matcher, matches_pattern
from watcher.core.routing.routes import MENTIONS_MAX, Route
from watcher.core.training.model import TRAIN_TYPES

KINDS: Final = frozenset(kind.value for kind in Kind)

LATER_KINDS: Final = (
    frozenset(
        {
            *("stuck", "unstuck", "unusable", "overdue", "update-failed", "update-succeeded"),
            *("receiver-failing", "receiver-recovered", "started", "stopped", "caught-up"),
        }
    )
    - KINDS
)
"""Kinds that are planned and that no event has yet."""

_MENTION: Final = re.compile(r"<(?:@[UW][0-9A-Z]{1,20}|!subteam\^S[0-9A-Z]{1,20}|!here|!channel|!everyone)>")
"""Source: https://docs.slack.dev/messaging/formatting-message-text/#mentioning-users."""
_BARE_USER: Final = re.compile(r"@?([UW][0-9A-Z]{5,20})")
_BARE_TEAM: Final = re.compile(r"@?(S[0-9A-Z]{5,20})")
_BARE_GROUP: Final = re.compile(r"@(here|channel|everyone)")
"""How people write it who have not read Slack's documents."""


def _kind(word: str) -> str:
    if word in RENAMED_KINDS:
        raise wrong(f"events of the kind {shown(word)} have another name now", f"write {shown(RENAMED_KINDS[word])}")
    if word in LATER_KINDS:
        raise wrong(f"this version does not have it yet: events of the kind {shown(word)}", "take it out")
    if word != ALL_KINDS and word not in KINDS:
        raise wrong(f"{shown(word)} is no kind of event", did_you_mean(word, KINDS | {ALL_KINDS}))
    return word


def _account(word: str, info: ValidationInfo) -> str:
    around = info.context
    accounts = around.accounts if isinstance(around, ValidationContext) else ()
    if accounts and not any(matches_pattern(account, word) for account in accounts):
        raise wrong(f"{shown(word)} is none of the accounts", did_you_mean(word, accounts))
    return word


def _type(word: str) -> str:
    if not any(matches_pattern(known, word) for known in TRAIN_TYPES):
        raise wrong(f"{shown(word)} is no type of training", did_you_mean(word, TRAIN_TYPES))
    return word


def _mention(text: str) -> str:
    if not _MENTION.fullmatch(text):
        raise wrong(f"{shown(text)} is no mention as Slack writes it", f"write {_meant(text)}")
    return text


def _meant(text: str) -> str:
    for bare, markup in ((_BARE_USER, "<@{}>"), (_BARE_TEAM, "<!subteam^{}>"), (_BARE_GROUP, "<!{}>")):
        found = bare.fullmatch(text)
        if found:
            return f'"{markup.format(found[1])}"'
    return '"<@U…>", "<!subteam^S…>", "<!here>" or "<!channel>", with the id that Slack shows'


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _word_or_list(value: object) -> object:
    return (value,) if isinstance(value, str) else _as_tuple(value)


def _not_empty(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise wrong("names nothing, so the route would match nothing", "name something, or take the key out")
    return words


def _distinct(what: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise wrong(f"names {shown(twice[0])} twice", f"name each {what} once")
        return names

    return check


def _not_too_many(mentions: tuple[str, ...]) -> tuple[str, ...]:
    if len(mentions) > MENTIONS_MAX:
        raise wrong(f"names more than {MENTIONS_MAX}", "mention a user group of Slack instead")
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
Receivers = Annotated[tuple[ReceiverName, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct("receiver"))]
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
    labels: LabelWords = Field(default_factory=dict)

    @property
    def match(self) -> Matcher:
        """What it says."""
        keys = ("account", "service", "type", "version", "status")
        words = {key: words for key in keys if (words := getattr(self, key)) is not None}
        words |= {LABEL + name: words for name, words in self.labels.items()}
        return Matcher(kinds=None if self.kind is None else frozenset(self.kind), patterns=frozen_mapping(words))


class RouteTable(Settings):
    """A table ``[[route]]``, as it is written."""

    match: MatcherTable = Field(default_factory=MatcherTable)
    to: Receivers = Field(examples=['["name-of-a-receiver"]'])
    # The key is a word of Python's.
    continue_: bool = Field(default=False, alias="continue")
    mention: Mentions = ()
    group_for: GroupPatience | None = None

    def route(self, number: int) -> Route:
        """Return what it says."""
        return Route(
            number=number,
            match=self.match.match,
            to=self.to,
            continues=self.continue_,
            mentions=self.mention,
            group_for=self.group_for,
        )


def routes_of(tables: Iterable[RouteTable], receivers: Iterable[str]) -> tuple[Route, ...]:
    """Return the routes in order; without any, one that takes the default kinds to every receiver."""
    routes = tuple(table.route(number) for number, table in enumerate(tables, start=1))
    return routes or (Route(number=1, to=tuple(receivers)),)
