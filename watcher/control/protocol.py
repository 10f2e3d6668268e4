"""The lines on the socket: a request ``{"command": …, "arguments": {…}}``, and an ``answer`` or an ``error``.

A request with ``"progress": true`` may get lines with ``progress`` before its answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

Handler = Callable[[Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""Serves one command: takes its arguments and returns the answer; raises ``ControlError`` to refuse."""

Report = Callable[[Mapping[str, object]], None]
"""Sends one line of progress."""

MAX_REQUEST_BYTES: Final = 16_777_216
"""Enough for the text of a configuration with 100,000 watches that have names."""
MAX_ANSWER_BYTES: Final = 67_108_864
"""Enough for 100,000 trainings."""
SETUP: Final = "setup"
"""The kind of a refusal because of a secret or a setting."""
MADE_AGAIN: Final = "it makes the socket again within a minute: try again then, and restart it if that fails"


class ControlError(Exception):
    """The daemon refused the request or could not read it; the text gives the reason and the remedy."""


class SetupRefusedError(ControlError):
    """The daemon refused the request, because a secret cannot be read or a setting cannot be used."""


class ConnectionLostError(ControlError):
    """The connection ended before the answer: the daemon stops, or died."""


class NoDaemonError(Exception):
    """No daemon listens on the socket."""


class SocketGoneError(ControlError):
    """A daemon seems to run, but its control socket is gone; ``problem`` is the text without the remedy."""

    def __init__(self, pid: int, problem: str = "", remedy: str = MADE_AGAIN) -> None:
        self.pid = pid
        self.problem = problem or f"process {pid} seems to be the daemon of this store, but its control socket is gone"
        super().__init__(f"{self.problem}; {remedy}")


class StoreGoneError(SocketGoneError):
    """A daemon runs, but its store is gone, with the control socket beside it."""


@dataclass(frozen=True, slots=True)
class ReportingHandler:
    """A handler that reports its progress, if the request asks for it."""

    serve: Callable[[Mapping[str, object], Report], Awaitable[Mapping[str, object]]]

    async def __call__(self, arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Serve a request without progress."""
        return await self.serve(arguments, no_report)


def no_report(_progress: Mapping[str, object]) -> None:
    """Send no progress: nobody asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command with its arguments."""

    command: str
    arguments: Mapping[str, object]
    progress: bool = False
    """Whether lines of progress are welcome; an older daemon sends none."""


def request_line(request: Request) -> bytes:
    """Return a request as a line.

    Raises:
        ControlError: it is too long.
    """
    document = {"command": request.command, "arguments": dict(request.arguments), "progress": request.progress}
    return _line(document, MAX_REQUEST_BYTES)


def read_request(line: bytes) -> Request:
    """Return the request that a line holds.

    Raises:
        ControlError: the line is no request.
    """
    document = _object(line)
    command, arguments = document.get("command"), document.get("arguments", {})
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise ControlError('a request is a line such as {"command": "ping", "arguments": {}}')
    return Request(command=command, arguments=arguments, progress=document.get("progress") is True)


def answer_line(answer: Mapping[str, object]) -> bytes:
    """Return an answer as a line.

    Raises:
        ControlError: it is too long.
    """
    return _line({"answer": dict(answer)}, MAX_ANSWER_BYTES)


def progress_line(progress: Mapping[str, object]) -> bytes:
    """Return a step of progress as a line."""
    return _line({"progress": dict(progress)}, MAX_ANSWER_BYTES)


def read_progress(line: bytes) -> Mapping[str, object] | None:
    """Return the progress that a line holds; ``None`` if it is another line."""
    if not line.startswith(b'{"progress": '):
        return None
    progress = _object(line).get("progress")
    return progress if isinstance(progress, dict) else None


def refusal_line(refusal: ControlError) -> bytes:
    """Return a refusal as a line, with its kind, which an older command ignores."""
    kind = {"kind": SETUP} if isinstance(refusal, SetupRefusedError) else {}
    return _line({"error": str(refusal), **kind}, MAX_ANSWER_BYTES)


def read_answer(line: bytes) -> Mapping[str, object]:
    """Return the answer that a line holds.

    Raises:
        SetupRefusedError: it is a refusal because of a secret or a setting.
        ControlError: it is another refusal, or no answer.
    """
    document = _object(line)
    if isinstance(answer := document.get("answer"), dict):
        return answer
    # An older daemon sends no kind.
    refusal = SetupRefusedError if document.get("kind") == SETUP else ControlError
    raise refusal(str(document.get("error", "the daemon's answer cannot be read; is the daemon of another version?")))


def _line(document: object, max_bytes: int) -> bytes:
    # A path that is not UTF-8 has lone surrogates; ``json.loads`` reads them back.
    line = json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
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
