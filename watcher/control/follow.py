"""A request whose answer may take hours: asynchronous, with lines of progress until then."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from watcher.control.client import connect
from watcher.control.protocol import (
    MAX_ANSWER_BYTES,
    ConnectionLostError,
    Report,
    Request,
    read_answer,
    read_progress,
    request_line,
)

SILENCE_SECONDS: Final = 60.0
"""The longest wait for a line: the daemon sends one every ten seconds."""


async def follow(
    path: Path, command: str, arguments: Mapping[str, object], on_progress: Report
) -> Mapping[str, object]:
    """Send a request to the daemon at ``path``, and return its answer once it has one.

    Raises:
        NoDaemonError: no daemon listens there.
        ConnectionLostError: the daemon ended, or is silent.
        ControlError: it refused the request.
    """
    line = request_line(Request(command=command, arguments=arguments, progress=True))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connect(connection, path)
        connection.settimeout(0.0)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MAX_ANSWER_BYTES)
    except BaseException:
        connection.close()
        raise
    try:
        writer.write(line)
        return await _answer(reader, on_progress)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, on_progress: Report) -> Mapping[str, object]:
    while (progress := read_progress(line := await _line(reader))) is not None:
        on_progress(progress)
    return read_answer(line)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            line = await reader.readline()
    except TimeoutError:
        raise ConnectionLostError(f"the daemon sent nothing for {SILENCE_SECONDS:g} s; see its log") from None
    except OSError as error:
        raise ConnectionLostError(f"the connection to the daemon was lost: {error.strerror}") from None
    if not line.endswith(b"\n"):
        raise ConnectionLostError("the connection to the daemon was lost: it stops, or it died")
    return line
