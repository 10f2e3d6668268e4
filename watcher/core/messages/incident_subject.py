"""The account, service, training or machine that an incident is about."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.message import Style
from watcher.core.messages.subject import service_code, training_line
from watcher.core.messages.text import TextLine, code


class About(StrEnum):
    """The thing that an incident is about, read from the subject of its event."""

    ACCOUNT = "account"
    CLOCK = "clock"
    """The difference between AiTEMS' clock and ours; polls may still succeed."""
    SERVICES = "services"
    """The list of an account's services."""
    SERVICE = "service"
    TRAINING = "training"
    UPDATES = "updates"
    """The calls about the interval services of an account; its trainings are polled."""
    STORE = "store"
    """The watcher's own store."""


_SUBJECTS: Final[Mapping[str, About]] = MappingProxyType(
    {"clock": About.CLOCK, "service": About.SERVICES, "updates": About.UPDATES, "watcher": About.STORE}
)
"""By the first word of the subject; any other is an account's."""


def about(event: Event) -> About:
    """Return the thing that this event of an incident is about."""
    if event.version is not None:
        return About.TRAINING
    if event.service is not None:
        return About.SERVICE
    kind = event.subject.partition(":")[0]
    return _SUBJECTS.get(kind, About.ACCOUNT)


def subject_line(event: Event, style: Style) -> TextLine:
    """Return the account, service, training or machine that an incident is about."""
    words = style.words
    match about(event):
        case About.STORE:
            return (code(style.host),) if style.host else words.say(Phrase.STORE)
        case About.TRAINING:
            return training_line(event, style)
        case About.SERVICE:
            # The headline about an unknown service has the word.
            unknown = event.incident is not None and event.incident.kind is Kind.NOT_FOUND
            service = service_code(event, style)
            return (service,) if unknown else words.say(Phrase.SERVICE, service=service)
        case About.SERVICES:
            return words.say(Phrase.SERVICE_LIST, account=code(event.account))
        case About.UPDATES:
            return words.say(Phrase.INTERVAL_SERVICES, account=code(event.account))
        case _:
            return words.say(Phrase.ACCOUNT, account=code(event.account))
