"""The command's side of the socket: synchronous, one request per connection."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from watcher.control.protocol import (
    MAX_ANSWER_BYTES,
    ControlError,
    NoDaemonError,
    Request,
    read_answer,
    request_line,
)
from watcher.control.socket_path import address_of

TIMEOUT_SECONDS: Final = 30.0
"""The longest wait for data; the daemon answers most commands at once."""
CHUNK_BYTES: Final = 65_536


def request(
    path: Path, command: str, arguments: Mapping[str, object], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> Mapping[str, object]:
    """Send a request to the daemon at ``path`` (see ``link_path``) and return its answer.

    Raises:
        NoDaemonError: no daemon listens there.
        ControlError: the daemon refused the request, or did not answer in time.
    """
    line = request_line(Request(command=command, arguments=arguments))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_seconds)
        _connect(connection, path)
        try:
            connection.sendall(line)
            return read_answer(_received(connection))
        except TimeoutError:
            raise ControlError(f"the daemon did not answer within {timeout_seconds:g} s; see its log") from None
        except OSError as error:
            raise ControlError(f"the connection to the daemon was lost: {error.strerror}; see its log") from error


def _connect(connection: socket.socket, path: Path) -> None:
    try:
        with address_of(path) as address:
            connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NoDaemonError(f"no daemon listens on {path}; is it running?") from None
    except PermissionError as error:
        raise ControlError(f"{path}: {error.strerror}; run this as the watcher's user, or as root") from None
    except OSError as error:
        raise ControlError(f"cannot connect to {path}: {error.strerror or error}") from error


def _received(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n") and (chunk := connection.recv(CHUNK_BYTES)):
        received += chunk
        if len(received) > MAX_ANSWER_BYTES:
            raise ControlError(f"the daemon's answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(received)
