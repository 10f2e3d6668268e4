"""The types of values in the settings, each with its own check and remedy."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from watcher.config.faults import did_you_mean, invalid, key_text, quoted
from watcher.config.models.urls import UrlProblem, account_url_problem, receiver_url_problem
from watcher.core.duration import format_duration, parse_duration
from watcher.core.routing.matcher import is_pattern
from watcher.core.training.links import PLACEHOLDERS, placeholders_in
from watcher.core.training.model import TRAIN_TYPES

Value = TypeVar("Value")

LONGEST_NAME: Final = 64
LONGEST_ID: Final = 200
LONGEST_PATH: Final = 4096
AUTO: Final = "auto"
SLACK_CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]{2,40}")
"""The id of a channel, a direct message, or a group."""


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """The facts about the file that the checks of its values need."""

    folder: Path
    """The folder of the file, absolute; relative paths start there."""
    accounts: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


def folder_of(info: ValidationInfo) -> Path:
    """Return the folder where relative paths start; without a file, the current folder."""
    context = info.context
    return context.folder if isinstance(context, ValidationContext) else Path.cwd()


def frozen_mapping(mapping: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return a copy that cannot be changed."""
    return MappingProxyType(dict(mapping))


# Durations


def _duration(value: object) -> object:
    if not isinstance(value, str):
        if isinstance(value, timedelta):
            return value
        raise invalid("is not a duration", 'write a number and its unit in quotes, e.g. "30s"')
    try:
        return parse_duration(value)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise invalid(f"{quoted(value)} is {problem}", remedy) from None


def _interval_or_auto(value: object) -> object:
    if value == AUTO:
        return value
    duration = _duration(value)
    return _interval(duration) if isinstance(duration, timedelta) else duration


def _within(shortest: str, longest: str) -> Callable[[timedelta], timedelta]:
    def check(value: timedelta) -> timedelta:
        if value < parse_duration(shortest):
            raise invalid(f'"{format_duration(value)}" is too short', f'write "{shortest}" or more')
        if value > parse_duration(longest):
            raise invalid(f'"{format_duration(value)}" is too long', f'write "{longest}" or less')
        return value

    return check


def duration_in(value: object, where: str, remedy: str, shortest: timedelta, longest: timedelta) -> timedelta:
    """Return a duration of a table.

    Args:
        value: The value.
        where: Its key in the table with a colon, or nothing.
        remedy: The valid values, for one that is no duration.
        shortest: The shortest valid duration.
        longest: The longest one.

    Raises:
        ValueError: It is no valid duration.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise invalid(f"{where}is not a duration", remedy)
    try:
        duration = parse_duration(value)
    except ValueError:
        raise invalid(f"{where}{quoted(value)} is not a duration", remedy) from None
    if duration < shortest:
        raise invalid(f"{where}{quoted(value)} is too short", f'write "{format_duration(shortest)}" or more')
    if duration > longest:
        raise invalid(f"{where}{quoted(value)} is too long", f'write "{format_duration(longest)}" or less')
    return duration


_interval = _within("100ms", "1d")
WatchInterval = Annotated[timedelta | Literal["auto"], BeforeValidator(_interval_or_auto)]
IdleInterval = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("100ms", "7d"))]
Deadline = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("100ms", "10m"))]
RetryDelay = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("100ms", "1d"))]
HeartbeatInterval = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("1s", "1d"))]
ThresholdTime = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("0s", "1d"))]
FailingAfter = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("1s", "7d"))]
GroupWait = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("1s", "1h"))]
ExpiryAge = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("1s", "365d"))]
Retention = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_within("1d", "36500d"))]


# Names and identifiers


def _one_line(text: str, longest: int) -> str:
    if not text:
        raise invalid("is empty", "write something between the quotes, or take the key out")
    if text != text.strip() or not text.isprintable():
        raise invalid(f"{quoted(text)} has blanks around it or a control character", "take them out")
    if len(text) > longest:
        raise invalid(f"{quoted(text)} is longer than {longest} characters", "write a shorter one")
    return text


def _name(text: str) -> str:
    if "/" in text:
        raise invalid(f"{quoted(text)} has a slash", "write another name")
    return _one_line(text, LONGEST_NAME)


def _label(text: str) -> str:
    return _one_line(text, LONGEST_ID)


def _identifier(text: str) -> str:
    if text in {".", ".."}:
        raise invalid(f"{quoted(text)} is no id: it would change the path of the call", "copy the id from the console")
    return _one_line(text, LONGEST_ID)


def _service(text: str) -> str:
    return _one_line(text, LONGEST_ID) if is_pattern(text) else _identifier(text)


def _train_type(text: str) -> str:
    if text not in TRAIN_TYPES:
        raise invalid(f"{quoted(text)} is no type of training", did_you_mean(text, TRAIN_TYPES))
    return text


def _time_zone(name: str) -> str:
    # ZoneInfo raises OSError for the name of a folder of the zone database.
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise invalid(f"{quoted(name)} is no time zone", 'write a name such as "Asia/Seoul" or "UTC"') from None
    return name


LINK_NAMES: Final = ("console", "runbook")
LONGEST_LINK: Final = 300
_LINK: Final = re.compile(r"https?://[!-;=?-~]+")
"""Printable ASCII without blanks, < and >."""


def _link_name(name: str) -> str:
    if name not in LINK_NAMES:
        raise invalid(f"{quoted(name)} is no link", did_you_mean(name, LINK_NAMES))
    return name


def _link(template: str) -> str:
    if not _LINK.fullmatch(template) or len(template) > LONGEST_LINK:
        remedy = f'write it in full, e.g. "https://host.example/{{service}}", in at most {LONGEST_LINK} characters'
        raise invalid("is not the address of a page", remedy)
    try:
        unknown = [name for name in placeholders_in(template) if name not in PLACEHOLDERS]
    except ValueError:
        remedy = "write names in braces, e.g. {service}"
        raise invalid("has a brace without its pair, or more than a name in one", remedy) from None
    if unknown:
        raise invalid(f"{quoted(unknown[0])} is no name for a link", did_you_mean(unknown[0], PLACEHOLDERS))
    return template


Name = Annotated[str, AfterValidator(_name)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Service = Annotated[str, AfterValidator(_service)]
TrainType = Annotated[str, AfterValidator(_train_type)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Label = Annotated[str, AfterValidator(_label)]
Labels = Annotated[Mapping[Label, Label], AfterValidator(frozen_mapping)]
Links = Annotated[
    Mapping[Annotated[str, AfterValidator(_link_name)], Annotated[str, AfterValidator(_link)]],
    AfterValidator(frozen_mapping),
]


# References to other tables of the file


def _account(name: str, info: ValidationInfo) -> str:
    context = info.context
    if not isinstance(context, ValidationContext) or not context.accounts:
        return name
    if name in context.accounts:
        return name
    if name:
        raise invalid(f"there is no [{key_text(('account', name))}]", did_you_mean(name, context.accounts))
    if len(context.accounts) > 1:
        names = ", ".join(quoted(account) for account in context.accounts)
        raise invalid("is missing where there are several accounts", f"write account = one of {names}")
    return context.accounts[0]


def _receiver(name: str, info: ValidationInfo) -> str:
    context = info.context
    if isinstance(context, ValidationContext) and context.receivers and name not in context.receivers:
        raise invalid(f"there is no [{key_text(('receiver', name))}]", did_you_mean(name, context.receivers))
    return name


AccountName = Annotated[str, AfterValidator(_account)]
ReceiverName = Annotated[str, AfterValidator(_receiver)]


# URLs and files


def as_tuple(value: object) -> object:
    """Return a list of the file as a tuple, which cannot change; any other value is judged later."""
    return tuple(value) if isinstance(value, list) else value


def checked_url(problem_of: Callable[[str], UrlProblem | None]) -> Callable[[str], str]:
    """Return a validator that rejects a URL in which ``problem_of`` finds a problem."""

    def check(url: str) -> str:
        problem = problem_of(url)
        if problem is not None:
            raise invalid(*problem)
        return url

    return check


def _without_slash(url: str) -> str:
    return url.rstrip("/")


def _with_slash(url: str) -> str:
    return f"{url.rstrip('/')}/"


def _slack_channel(text: str) -> str:
    if SLACK_CHANNEL.fullmatch(text):
        return text
    problem = "is the name of a channel" if text.startswith("#") else "is no id of a channel"
    remedy = 'write its id, e.g. "C0123456789": in Slack, the id is at the bottom of the channel\'s details'
    raise invalid(f"{quoted(text)} {problem}", remedy)


def absolute_path(text: str, info: ValidationInfo) -> Path:
    """Return an absolute path: ``~`` is a home folder, and a relative path starts at the folder of the file.

    Raises:
        PydanticCustomError: the home folder does not exist.
    """
    try:
        return folder_of(info) / Path(text).expanduser()
    except RuntimeError:
        raise invalid("begins with ~ and there is no such home folder", "write the path in full") from None


def _path(value: object, info: ValidationInfo) -> object:
    return absolute_path(_one_line(value, LONGEST_PATH), info) if isinstance(value, str) else value


AccountUrl = Annotated[str, AfterValidator(checked_url(account_url_problem)), AfterValidator(_without_slash)]
SlackApiUrl = Annotated[str, AfterValidator(checked_url(account_url_problem)), AfterValidator(_with_slash)]
SlackChannel = Annotated[str, AfterValidator(_slack_channel)]
PlainUrl = Annotated[str, AfterValidator(checked_url(receiver_url_problem))]
FilePath = Annotated[Path, BeforeValidator(_path)]
