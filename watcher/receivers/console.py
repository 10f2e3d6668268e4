"""The console receiver: an event as a few lines on a terminal, in colour where it has colours."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome
from watcher.core.event import Event
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.groups.group_message import GroupMessage
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.message import Message, Severity
from watcher.core.messages.text import Code, Piece, TextLine, plain_piece
from watcher.core.messages.training import compose
from watcher.line_writer import LineWriter
from watcher.receivers.fallback_render import render_or_fall_back
from watcher.receivers.spec import Spec
from watcher.receivers.stream import write

KIND: Final = "console"
INDENT: Final = "   "
ALSO_MAX: Final = 8
"""Events with messages of their own that a group names; the others are counted."""
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
    batch_max = 1
    dedup = Dedup.UNKNOWN

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._style = spec.style
        self._writer = spec.writer or LineWriter(sys.stdout)
        self._is_terminal = self._writer.is_terminal

    def seal(self, event: Event, receiver_seq: int) -> None:
        """Return ``None``: each attempt renders the event anew."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:
        """Return ``None``, as ``seal`` does."""

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Write the lines of one message."""
        now = request.attempted_at or max(event.recorded_at for event in request.events)

        def render(events: Sequence[Event], also: Sequence[Event]) -> str:
            if len(events) == 1:
                return self._written(*self._single(compose(events[0], self._style), request), now)
            return self._written(*self._several(compose_group(events, also, self._style), request), now)

        return await write(self._writer, render_or_fall_back(render, request.events, request.also))

    def _single(self, message: Message, request: DeliveryRequest) -> tuple[Message, list[TextLine]]:
        return message, [*message.facts, *message.rows, *message.remedy, *self._repeat(request), *message.marks]

    def _several(self, message: GroupMessage, request: DeliveryRequest) -> tuple[GroupMessage, list[TextLine]]:
        headed = len(message.sections) > 1
        rows = [line for part in message.sections for line in ([part.heading] * headed + list(part.rows))]
        also = [line for line in (message.sent_separately(ALSO_MAX),) if line]
        return message, [*message.facts, *rows, *self._repeat(request), *message.marks, *also]

    def _repeat(self, request: DeliveryRequest) -> list[TextLine]:
        return [self._style.words.say(Phrase.MARK_REPEAT)] if request.may_be_repeat else []

    def _written(self, message: Message | GroupMessage, below: Sequence[TextLine], now: datetime) -> str:
        # Rendered in memory, because the library would end the process on a broken pipe. It respects NO_COLOR and
        # FORCE_COLOR. Texts are no markup for it.
        output = io.StringIO()
        console = Console(file=output, force_terminal=self._is_terminal or None, highlight=False, soft_wrap=True)
        timed = self._style.words.with_times([message.title, *below, message.muted], now, self._style.zone)
        for line in _coloured(message, timed):
            console.print(line)
        return output.getvalue()


def _coloured(message: Message | GroupMessage, lines: Sequence[TextLine]) -> Iterator[Text]:
    title, *below, muted = lines
    headline = Text(f"{message.sign} {message.headline}", style=TITLE_STYLES[message.severity])
    yield Text.assemble(headline, _text(title[1:]))
    yield from (_text((INDENT, *line)) for line in below)
    yield Text.assemble(_text((INDENT, *muted)), style="dim")


def _text(line: TextLine) -> Text:
    return Text.assemble(*(_styled(piece) for piece in line))


def _styled(piece: Piece) -> Text:
    return Text(plain_piece(piece), style=CODE_STYLE if isinstance(piece, Code) else "")
