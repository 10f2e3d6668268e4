"""Logging with structlog as JSON lines; the last step redacts secrets, in all lines and exceptions.

A thread writes them: logging never waits for its reader.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import quote

from watcher.core.messages.text import one_line
from watcher.core.secret import STARS, Secret
from watcher.core.timestamps import to_text
from watcher.first_steps import missing
from watcher.line_writer import LineWriter

# Rich would colour tracebacks, which are JSON here; with pygments it takes 6 MB and a twelfth of the start. Greenlets
# are not used, and their library takes 1 MB where it is installed.
with missing("rich"), missing("greenlet"):
    import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

MIN_REDACTED_LENGTH: Final = 4
"""Shorter texts would hide ordinary words; the configuration rejects secrets that short."""

FIRST: Final = ("event", "level", "at")
"""The fields at the beginning of each line."""
LINE_LIMIT: Final = 2_000
"""The most characters of one value on a terminal."""


class Redactor:
    """Replaces every known secret with stars, in each spelling of a log line."""

    def __init__(self) -> None:
        self._learned: set[str] = set()
        self._spellings: list[str] = []
        """Every spelling, the longest first, as one may contain another."""

    def learn(self, secret: Secret) -> Secret:
        """Remember a secret, and return it."""
        text = secret.reveal()
        # Each request reads its secrets again, and nearly all of them are known.
        if len(text) >= MIN_REDACTED_LENGTH and text not in self._learned:
            self._learned.add(text)
            spellings = {text, json.dumps(text)[1:-1], quote(text), quote(text, safe=""), repr(text)[1:-1]}
            self._spellings = sorted(spellings.union(self._spellings), key=len, reverse=True)
        return secret

    def clean(self, text: str) -> str:
        """Return ``text`` with every known secret replaced."""
        for spelling in self._spellings:
            text = text.replace(spelling, STARS)
        return text


class _QueuedLogger:
    """structlog's output: every method hands one line to the writer."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, message: str) -> None:
        """Write one line."""
        self._writer.put(message + "\n")

    log = debug = info = warning = error = critical = exception = msg


class _QueuedHandler(logging.Handler):
    """The same for the lines of libraries."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self._writer.put(self.format(record) + "\n")


def configure(redactor: Redactor, *, stream: TextIO | None = None, verbose: bool = False) -> LineWriter:
    """Send structlog's and the standard library's lines as JSON to ``stream`` (standard output by default).

    Returns:
        LineWriter: writes the lines in a thread; others may use it for the same stream.
    """
    writer = LineWriter(stream or sys.stdout, _log_dropped)
    level = logging.DEBUG if verbose else logging.INFO
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    render = _plain_text if writer.is_terminal else _json
    last: list[Processor] = [_event_first, render, _redaction(redactor)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_args: _QueuedLogger(writer),
        cache_logger_on_first_use=False,
    )
    _configure_standard_library(shared, last, writer)
    return writer


def _log_dropped(lines: int) -> None:
    structlog.get_logger().warning(
        "log.dropped", lines=lines, remedy="look at the reader of the log: it stood still, or its disk is full"
    )


def _event_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the fields that every line has before the others."""
    return {**{key: event[key] for key in FIRST if key in event}, **event}


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _ENCODER.encode(event)


def _plain_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Write a line for a person at a terminal; no text in it can control that."""
    exception = event.pop("exception", "")
    first = [_word(event.pop(key, "")) for key in FIRST]
    fields = [f"{key}={_word(value)}" for key, value in event.items()]
    trace = [_printable(line) for line in str(exception).splitlines()]
    return "\n    ".join([" ".join([*first, *fields]), *trace])


def _word(value: object) -> str:
    """Write a value as one word: in quotes where it has a space."""
    text = _printable(value if isinstance(value, str) else json.dumps(value, default=_plain, ensure_ascii=False))
    return text if text and " " not in text else json.dumps(text, ensure_ascii=False)


def _printable(line: str) -> str:
    """Return a line without control characters; its indent stays."""
    return line[: len(line) - len(line.lstrip(" "))] + one_line(line, LINE_LIMIT)


def _redaction(redactor: Redactor) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict | str) -> str:
        return redactor.clean(str(event))

    return redact


def _plain(value: object) -> str:
    """Write a value that JSON does not have: a time in the usual format, other values as their ``repr``."""
    return to_text(value) if isinstance(value, datetime) and value.tzinfo else repr(value)


_ENCODER: Final = json.JSONEncoder(default=_plain)
"""Made once: ``json.dumps`` makes another for each line that has a ``default``."""


def _configure_standard_library(shared: list[Processor], last: list[Processor], writer: LineWriter) -> None:
    # Libraries log every request at INFO, so only their warnings are kept.
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, *last])
    handler = _QueuedHandler(writer)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # It warns of each run that begins late, in words of its own; a late loop is a finding of the watcher.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It warns of each request that is no HTTP, or asks for WebSockets: anybody could fill the log without the token.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
