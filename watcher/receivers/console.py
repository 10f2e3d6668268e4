"""An event as a few lines for a person at a terminal, with colour where the terminal takes it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from rich.console import Console
from rich.text import Text

from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome
from watcher.core.event import Event
from watcher.core.messages.group import GroupMessage, compose_group
from watcher.core.messages.text import LIST_LIMIT, Code, Piece, TextLine, plain_piece, plain_text
from watcher.core.messages.training import Message, Severity, compose, repeat_note
from watcher.receivers.fallback_render import render_or_fall_back
from watcher.receivers.spec import Spec
from watcher.receivers.stream import write

KIND: Final = "console"
INDENT: Final = "   "
TITLE_STYLES: Final = {
    Severity.OK: "bold green",
    Severity.INFO: "bold blue",
    Severity.WARNING: "bold yellow",
    Severity.ERROR: "bold red",
}
CODE_STYLE: Final = "cyan"


class ConsoleReceiver:
    """Writes to a stream; a repeat says that it may be one."""

    kind = KIND
    pace_key = KIND
    pace_seconds = 0.0
    dedup = Dedup.UNKNOWN

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._stream = spec.stream or sys.stdout
        self._is_terminal = self._stream.isatty()

    def seal(self, event: Event, receiver_seq: int) -> None:
        """Keep no bytes: the lines are made from the event at each attempt."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:
        """Keep no bytes, see ``seal``."""

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Write the lines."""

        def render(events: Sequence[Event], also: Sequence[Event]) -> str:
            return self._painted(_lines(replace(request, events=tuple(events), also=tuple(also))))

        return write(self._stream, render_or_fall_back(render, request.events, request.also))

    def _painted(self, lines: Iterable[Text]) -> str:
        # Painted in memory: on a broken pipe the library would end the process. It heeds NO_COLOR and FORCE_COLOR,
        # and nothing in a text is read as markup.
        page = io.StringIO()
        console = Console(file=page, force_terminal=self._is_terminal or None, highlight=False, soft_wrap=True)
        for line in lines:
            console.print(line)
        return page.getvalue()


def _lines(request: DeliveryRequest) -> Iterator[Text]:
    if len(request.events) == 1:
        return _about_one(compose(request.events[0]), repeat_note(request.events[0]) if request.may_be_repeat else ())
    message = compose_group(request.events, request.also)
    return _about_many(message, message.repeat if request.may_be_repeat else ())


def _about_one(message: Message, repeat: TextLine) -> Iterator[Text]:
    yield _title(message)
    yield from _indented(repeat, *message.lines)
    yield Text(INDENT + " · ".join(_facts(message)), style="dim")


def _about_many(message: GroupMessage, repeat: TextLine) -> Iterator[Text]:
    yield Text(plain_text(message.title), style=TITLE_STYLES[message.severity])
    yield from _indented(repeat, *message.notes)
    yield from _indented(*(entry.full(": ") for entry in message.entries))
    yield from _indented(message.sent_separately(LIST_LIMIT))
    yield Text(INDENT + plain_text(message.origin), style="dim")


def _indented(*lines: TextLine) -> Iterator[Text]:
    yield from (_text((INDENT, *line)) for line in lines if line)


def _title(message: Message) -> Text:
    title = Text(f"{message.emoji} {message.headline}", style=TITLE_STYLES[message.severity])
    return Text.assemble(title, ": ", _text(message.subject))


def _text(line: TextLine) -> Text:
    return Text.assemble(*(_styled(piece) for piece in line))


def _styled(piece: Piece) -> Text:
    return Text(plain_piece(piece), style=CODE_STYLE if isinstance(piece, Code) else "")


def _facts(message: Message) -> Iterator[str]:
    yield from (f"{fact.label}: {plain_text(fact.value)}" for fact in message.facts)
    yield f"Event: {message.event_id}"
