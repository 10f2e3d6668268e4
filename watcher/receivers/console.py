"""The console receiver: an event as a few lines on a terminal, in colour where it has colours."""

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
from watcher.line_writer import LineWriter
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
    """Writes messages to a stream; a possible repeat says so."""

    kind = KIND
    pace_key = KIND
    pace_seconds = 0.0
    dedup = Dedup.UNKNOWN

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._writer = spec.writer or LineWriter(sys.stdout)
        self._is_terminal = self._writer.is_terminal

    def seal(self, event: Event, receiver_seq: int) -> None:
        """Return ``None``: each attempt renders the event anew."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:
        """Return ``None``, as ``seal`` does."""

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Write the lines of one message."""

        def render(events: Sequence[Event], also: Sequence[Event]) -> str:
            return self._coloured(_lines(replace(request, events=tuple(events), also=tuple(also))))

        return await write(self._writer, render_or_fall_back(render, request.events, request.also))

    def _coloured(self, lines: Iterable[Text]) -> str:
        # Rendered in memory, because the library would end the process on a broken pipe. It respects NO_COLOR and
        # FORCE_COLOR. Texts are no markup for it.
        output = io.StringIO()
        console = Console(file=output, force_terminal=self._is_terminal or None, highlight=False, soft_wrap=True)
        for line in lines:
            console.print(line)
        return output.getvalue()


def _lines(request: DeliveryRequest) -> Iterator[Text]:
    if len(request.events) == 1:
        return _single(compose(request.events[0]), repeat_note(request.events[0]) if request.may_be_repeat else ())
    message = compose_group(request.events, request.also)
    return _several(message, message.repeat if request.may_be_repeat else ())


def _single(message: Message, repeat: TextLine) -> Iterator[Text]:
    yield _title(message)
    yield from _indented(repeat, *message.lines)
    yield Text(INDENT + " · ".join(_facts(message)), style="dim")


def _several(message: GroupMessage, repeat: TextLine) -> Iterator[Text]:
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
