"""What is written to a connection in one turn of the loop leaves in one call of the system."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpcore2
import pytest

from watcher.http.attempt_trace import CURRENT, AttemptTrace
from watcher.http.socket_stream import MAX_UNSENT_BYTES, SocketStream


class Transport(asyncio.Transport):
    """A transport that keeps each piece that it gets."""

    def __init__(self, of: socket.socket) -> None:
        super().__init__({"socket": of})
        self.pieces: list[bytes] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    CURRENT.set(AttemptTrace(None, safe=True))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Transport(ours)


@pytest.fixture
def stream(transport: Transport) -> SocketStream:
    CURRENT.set(AttemptTrace(None, safe=True))
    made = SocketStream()
    made.connection_made(transport)
    return made


async def test_the_head_and_the_body_of_a_request_leave_together_before_the_answer_is_read(
    stream: SocketStream, transport: Transport
) -> None:
    for piece in (b"head ", b"", b"body"):
        await stream.write(piece)
    assert transport.pieces == []
    stream.data_received(b"answer")
    assert await stream.read(100) == b"answer"
    assert transport.pieces == [b"head body"]
    await asyncio.sleep(0)
    assert transport.pieces == [b"head body"]


async def test_a_request_leaves_although_nobody_reads_the_answer(stream: SocketStream, transport: Transport) -> None:
    await stream.write(b"head ")
    await stream.write(b"body")
    await asyncio.sleep(0)
    await stream.write(b"more")
    await asyncio.sleep(0)
    assert transport.pieces == [b"head body", b"more"]


async def test_a_large_body_leaves_at_once_and_waits_for_room(stream: SocketStream, transport: Transport) -> None:
    async def write() -> None:
        await stream.write(b"head")
        await stream.write(b"x" * MAX_UNSENT_BYTES)

    stream.pause_writing()
    large = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert [len(piece) for piece in transport.pieces] == [4 + MAX_UNSENT_BYTES]
    assert not large.done()
    stream.resume_writing()
    await large


async def test_a_closing_connection_takes_nothing(stream: SocketStream, transport: Transport) -> None:
    transport.closing = True
    with pytest.raises(httpcore2.WriteError):
        await stream.write(b"head")
    await asyncio.sleep(0)
    assert transport.pieces == []
