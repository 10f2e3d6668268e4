"""The command's side of the socket: synchronous, one request per connection."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from watcher.control.protocol import (
    MAX_ANSWER_BYTES,
    ControlError,
    NoDaemonError,
    Report,
    Request,
    no_report,
    read_answer,
    read_progress,
    request_line,
)
from watcher.control.socket_path import address_of

START: Final = "start it with systemctl start aitems-watcher, or aitems-watcher run"
TIMEOUT_SECONDS: Final = 45.0
"""The longest wait for data; the daemon answers most commands at once.

It waits up to 30 s for a locked store, and then says that nothing was changed.
"""
PROMPT_SECONDS: Final = 5.0
"""The same for a command that also works without the daemon's answer."""


def request(
    path: Path,
    command: str,
    arguments: Mapping[str, object],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    on_progress: Report | None = None,
) -> Mapping[str, object]:
    """Send a request to the daemon at ``path`` (see ``link_path``) and return its answer.

    ``on_progress`` is called with each step that the daemon reports.

    Raises:
        NoDaemonError: no daemon listens there.
        ControlError: the daemon refused the request, or did not answer in time.
    """
    line = request_line(Request(command=command, arguments=arguments, progress=on_progress is not None))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_seconds)
        connect(connection, path)
        try:
            connection.sendall(line)
            with connection.makefile("rb") as lines:
                return read_answer(_answer(lines, on_progress or no_report))
        except TimeoutError:
            raise ControlError(f"the daemon did not answer within {timeout_seconds:g} s; see its log") from None
        except OSError as error:
            raise ControlError(f"the connection to the daemon was lost: {error.strerror}; see its log") from error


def connect(connection: socket.socket, path: Path) -> None:
    """Connect to the daemon at ``path``.

    Raises:
        NoDaemonError: no daemon listens there.
        ControlError: it cannot be reached.
    """
    try:
        with address_of(path) as address:
            connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NoDaemonError(f"no daemon listens on {path}; is it running? {START}") from None
    except PermissionError as error:
        raise ControlError(f"{path}: {error.strerror}; run this as the watcher's user, or as root") from None
    except OSError as error:
        raise ControlError(f"cannot connect to {path}: {error.strerror or error}") from error


def _answer(lines: BinaryIO, on_progress: Report) -> bytes:
    """Pass on the lines of progress, and return the line after them."""
    while (progress := read_progress(line := _line(lines))) is not None:
        on_progress(progress)
    return line


def _line(lines: BinaryIO) -> bytes:
    line = lines.readline(MAX_ANSWER_BYTES + 1)
    if len(line) > MAX_ANSWER_BYTES:
        raise ControlError(f"the daemon's answer is longer than {MAX_ANSWER_BYTES} bytes")
    return line
