"""The first line's subject: a training, service, account, store or receiver."""

from __future__ import annotations

from watcher.core.event import Event
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.message import Style
from watcher.core.messages.text import Code, TextLine, code


def training_line(event: Event, style: Style) -> TextLine:
    """Return the service, type and version of a training."""
    return (service_code(event, style), " · ", code(event.training_type), " · ", code(event.version))


def service_code(event: Event, style: Style) -> Code:
    """Return the name of a service, with its account where there are several."""
    service = code(event.service_name or event.service)
    if not style.several_accounts:
        return service
    return code(style.words.text(Phrase.IN_ACCOUNT, account=code(event.account), service=service), 2 * 100)
