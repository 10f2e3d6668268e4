"""An event as a few lines for a person at a terminal, with colour where the terminal takes it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from watcher.core.delivery import Outcome, Parcel
from watcher.core.event import Event
from watcher.core.message import Code, Line, Message, Severity, compose, plain_text, repeat_note
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
    lane = KIND
    pace_seconds = 0.0
    repeats_are_marked = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._stream = spec.stream or sys.stdout
        self._is_terminal = self._stream.isatty()

    def seal(self, event: Event, receiver_seq: int) -> None:
        """Keep no bytes: the lines are made from the event at each attempt."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:
        """Keep no bytes, see ``seal``."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Write the lines."""
        return write(self._stream, self._painted(_lines(parcel)))

    def _painted(self, lines: Iterable[Text]) -> str:
        # Painted in memory: on a broken pipe the library would end the process. It heeds NO_COLOR and FORCE_COLOR,
        # and nothing in a text is read as markup.
        page = io.StringIO()
        console = Console(file=page, force_terminal=self._is_terminal or None, highlight=False, soft_wrap=True)
        for line in lines:
            console.print(line)
        return page.getvalue()


def _lines(parcel: Parcel) -> Iterator[Text]:
    for event in parcel.events:
        message = compose(event)
        yield _title(message)
        if parcel.may_be_repeat:
            yield _text((INDENT, *repeat_note(event)))
        for line in message.lines:
            yield _text((INDENT, *line))
        yield Text(INDENT + " · ".join(_facts(message)), style="dim")


def _title(message: Message) -> Text:
    title = Text(f"{message.emoji} {message.headline}", style=TITLE_STYLES[message.severity])
    return Text.assemble(title, ": ", _text(message.subject))


def _text(line: Line) -> Text:
    return Text.assemble(*(_styled(piece) for piece in line))


def _styled(piece: str | Code | datetime) -> Text:
    return Text(plain_text((piece,)), style=CODE_STYLE if isinstance(piece, Code) else "")


def _facts(message: Message) -> Iterator[str]:
    yield from (f"{fact.label}: {plain_text(fact.value)}" for fact in message.facts)
    yield f"Event: {message.event_id}"
