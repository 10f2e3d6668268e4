"""What goes over the socket: ``{"command": …, "arguments": {…}}``; back comes an ``answer`` or an ``error``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

Handler = Callable[[Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""What serves one command: arguments in, answer out; a refusal is raised as ``ControlError``."""

MAX_REQUEST_BYTES: Final = 65_536
MAX_ANSWER_BYTES: Final = 4_194_304


class ControlError(Exception):
    """The daemon refused, or did not understand; the text says why and what to do."""


class NoDaemonError(Exception):
    """Nobody listens on the socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for."""

    command: str
    arguments: Mapping[str, object]


def request_line(request: Request) -> bytes:
    """Return a request as it is sent."""
    return _line({"command": request.command, "arguments": dict(request.arguments)}, MAX_REQUEST_BYTES)


def read_request(line: bytes) -> Request:
    """Read a request as it came.

    Raises:
        ControlError: it is none.
    """
    document = _object(line)
    command, arguments = document.get("command"), document.get("arguments", {})
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise ControlError('a request is a line such as {"command": "ping", "arguments": {}}')
    return Request(command=command, arguments=arguments)


def answer_line(answer: Mapping[str, object]) -> bytes:
    """Return an answer as it is sent."""
    return _line({"answer": dict(answer)}, MAX_ANSWER_BYTES)


def refusal_line(text: str) -> bytes:
    """Return a refusal as it is sent."""
    return _line({"error": text}, MAX_ANSWER_BYTES)


def read_answer(line: bytes) -> Mapping[str, object]:
    """Read an answer as it came.

    Raises:
        ControlError: it is a refusal, or no answer.
    """
    document = _object(line)
    if isinstance(answer := document.get("answer"), dict):
        return answer
    raise ControlError(str(document.get("error", "the daemon's answer is not understood; is it of another version?")))


def _line(document: object, most: int) -> bytes:
    line = json.dumps(document).encode() + b"\n"
    if len(line) > most:
        raise ControlError(f"too long for the control socket: {len(line)} bytes of at most {most}; ask for less")
    return line


def _object(line: bytes) -> dict[str, object]:
    if not line.endswith(b"\n"):
        raise ControlError("the connection ended within the line; try again")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ControlError("a line on the control socket is one JSON object")
    return document
