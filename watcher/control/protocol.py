"""The lines on the socket: a request ``{"command": …, "arguments": {…}}``, and an ``answer`` or an ``error``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

Handler = Callable[[Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""Serves one command: takes its arguments and returns the answer; raises ``ControlError`` to refuse."""

MAX_REQUEST_BYTES: Final = 1_048_576
"""Enough for the text of a configuration."""
MAX_ANSWER_BYTES: Final = 67_108_864
"""Enough for 100,000 trainings."""


class ControlError(Exception):
    """The daemon refused the request or could not read it; the text gives the reason and the remedy."""


class NoDaemonError(Exception):
    """No daemon listens on the socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command with its arguments."""

    command: str
    arguments: Mapping[str, object]


def request_line(request: Request) -> bytes:
    """Return a request as a line.

    Raises:
        ControlError: it is too long.
    """
    return _line({"command": request.command, "arguments": dict(request.arguments)}, MAX_REQUEST_BYTES)


def read_request(line: bytes) -> Request:
    """Return the request that a line holds.

    Raises:
        ControlError: the line is no request.
    """
    document = _object(line)
    command, arguments = document.get("command"), document.get("arguments", {})
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise ControlError('a request is a line such as {"command": "ping", "arguments": {}}')
    return Request(command=command, arguments=arguments)


def answer_line(answer: Mapping[str, object]) -> bytes:
    """Return an answer as a line.

    Raises:
        ControlError: it is too long.
    """
    return _line({"answer": dict(answer)}, MAX_ANSWER_BYTES)


def refusal_line(text: str) -> bytes:
    """Return a refusal as a line."""
    return _line({"error": text}, MAX_ANSWER_BYTES)


def read_answer(line: bytes) -> Mapping[str, object]:
    """Return the answer that a line holds.

    Raises:
        ControlError: it is a refusal, or no answer.
    """
    document = _object(line)
    if isinstance(answer := document.get("answer"), dict):
        return answer
    raise ControlError(
        str(document.get("error", "the daemon's answer cannot be read; is the daemon of another version?"))
    )


def _line(document: object, max_bytes: int) -> bytes:
    line = json.dumps(document).encode() + b"\n"
    if len(line) > max_bytes:
        text = f"too long for the control socket: {len(line)} bytes, at most {max_bytes} are possible; name fewer items"
        raise ControlError(text)
    return line


def _object(line: bytes) -> dict[str, object]:
    if not line.endswith(b"\n"):
        raise ControlError("the connection ended before the end of the line; try again")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ControlError("a line on the control socket must be one JSON object")
    return document
