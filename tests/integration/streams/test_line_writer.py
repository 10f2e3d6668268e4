"""Log lines and the receivers of streams whose reader stands still, goes away or has a full disk."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import pty
import select
import socket
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

import pytest
import structlog

from tests.unit.receivers.samples import sample_event
from watcher.clock import Clock
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, TryLater
from watcher.core.messages.reasons import reason_text
from watcher.http import HttpClient, HttpSettings
from watcher.line_writer import MAX_WAITING_BYTES, LineWriter, Written
from watcher.logs import Redactor, configure
from watcher.receivers import KINDS, Spec, stream

SECONDS = 20.0
PAGE = 4096


@dataclass(slots=True)
class Unread:
    """A stream that nobody reads yet, and the descriptor of its reader."""

    stream: TextIO
    reader: int

    def read(self) -> bytes:
        """Return a piece of the output; empty where there is none for a moment."""
        readable, _, _ = select.select([self.reader], [], [], 0.1)
        return os.read(self.reader, PAGE) if readable else b""


def unread_pipe() -> Unread:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PAGE)
    return Unread(os.fdopen(writer, "w"), reader)


def unread_terminal() -> Unread:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return Unread(os.fdopen(theirs, "w"), ours)


def unread_socket() -> Unread:
    """Return a stream such as systemd's journal."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Unread(os.fdopen(writer.detach(), "w"), reader.detach())


def unread_non_blocking_pipe() -> Unread:
    unread = unread_pipe()
    os.set_blocking(unread.stream.fileno(), False)
    return unread


KINDS_OF_STREAM = {
    "pipe": unread_pipe,
    "terminal": unread_terminal,
    "socket": unread_socket,
    "non-blocking pipe": unread_non_blocking_pipe,
}


@pytest.fixture(params=sorted(KINDS_OF_STREAM))
def unread(request: pytest.FixtureRequest) -> Iterator[Unread]:
    made = KINDS_OF_STREAM[request.param]()
    yield made
    made.stream.close()
    os.close(made.reader)


@pytest.fixture
def configured() -> Iterator[Callable[[TextIO], LineWriter]]:
    before = structlog.get_config()
    yield lambda stream: configure(Redactor(), stream=stream)
    structlog.configure(**before)


def fill(writer: LineWriter) -> None:
    """Put more lines than the stream and the queue take."""
    line = "x" * 1000 + "\n"
    for _ in range(2 * MAX_WAITING_BYTES // len(line)):
        writer.put(line)


def read_until(unread: Unread, word: bytes) -> bytes:
    read = b""
    while word not in read:
        read += unread.read()
    return read


def test_logging_never_waits_and_counts_dropped_lines(
    unread: Unread, configured: Callable[[TextIO], LineWriter]
) -> None:
    writer = configured(unread.stream)
    fill(writer)
    structlog.get_logger().info("poll.failed")
    dropped = writer.dropped
    assert dropped > 0
    read = read_until(unread, b"log.dropped")
    while not read.endswith(b"\n"):
        read += unread.read()
    last = read.splitlines()[-1].decode()
    assert "log.dropped" in last
    assert str(dropped) in last
    if not unread.stream.isatty():
        # A terminal gets plain text.
        written = json.loads(last)
        assert (written["level"], written["lines"]) == ("warning", dropped)


async def attempt(writer: LineWriter, kind: str) -> Outcome:
    http = HttpClient(HttpSettings(), Clock())
    target = KINDS[kind](Spec(name="out", http=http, clock=Clock(), writer=writer))
    event = sample_event()
    outcome = await target.send(DeliveryRequest(delivery_id="msg_1", events=(event,), body=target.seal(event, 1)))
    await http.aclose()
    return outcome


@pytest.mark.parametrize("kind", ["log", "console"])
async def test_a_receiver_on_a_stream_that_nobody_reads_fails_and_sends_nothing_later(
    unread: Unread, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.05)
    writer = LineWriter(unread.stream)
    fill(writer)
    assert isinstance(await attempt(writer, kind), TryLater)
    read = b""
    while not writer.drain(0.0):
        read += unread.read()
    assert b"evt_" not in read


async def test_a_receiver_writes_again_once_somebody_reads(unread: Unread) -> None:
    writer = LineWriter(unread.stream)
    assert await attempt(writer, "log") == Delivered()
    assert b"training.failed" in read_until(unread, b"\n")


LONG = "x" * (MAX_WAITING_BYTES + PAGE) + "\n"
SHORT = "a line\n"


async def test_a_long_line_is_taken_while_none_waits(unread: Unread) -> None:
    writer = LineWriter(unread.stream)
    for _ in range(2):
        reading = asyncio.create_task(asyncio.to_thread(read_until, unread, b"\n"))
        result = await writer.write(LONG, SECONDS)
        if result.problem:
            writer.put("\n")
        read = await reading
        assert result == Written(size=len(LONG), written=len(LONG))
        assert len(read) == len(LONG)


def test_a_long_log_line_is_taken_while_none_waits(unread: Unread) -> None:
    writer = LineWriter(unread.stream)
    writer.put(LONG)
    assert writer.dropped == 0
    assert len(read_until(unread, b"\n")) == len(LONG)


async def test_lines_behind_others_that_wait_are_refused_with_their_size(unread: Unread) -> None:
    writer = LineWriter(unread.stream)
    fill(writer)
    result = await writer.write(LONG, SECONDS)
    assert (result.size, result.written, result.is_under_way) == (len(LONG), 0, False)
    assert str(len(LONG)) in result.problem


async def test_a_long_line_that_waits_lets_no_other_wait() -> None:
    unread = unread_pipe()
    os.write(unread.stream.fileno(), b"x" * PAGE)
    writer = LineWriter(unread.stream)
    writer.put(LONG)
    result = await writer.write(SHORT, SECONDS)
    assert (result.size, result.written) == (len(SHORT), 0)
    assert str(len(LONG)) in result.problem
    assert len(read_until(unread, b"\n")) == PAGE + len(LONG)
    unread.stream.close()
    os.close(unread.reader)


async def test_no_number_of_bytes_is_invented_while_a_line_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    unread = unread_pipe()
    writer = LineWriter(unread.stream)
    take_back = writer._take_back

    def take_back_once_begun(line: Any) -> bool:
        select.select([unread.reader], [], [], SECONDS)
        return take_back(line)

    monkeypatch.setattr(writer, "_take_back", take_back_once_begun)
    result = await writer.write("x" * 3 * PAGE + "\n", 0.01)
    assert (result.written, result.is_under_way, result.problem) == (0, True, "nobody reads it")
    read_until(unread, b"\n")
    unread.stream.close()
    os.close(unread.reader)


@pytest.fixture
def full() -> Iterator[Unread]:
    """A pipe without room for another byte."""
    made = unread_pipe()
    os.write(made.stream.fileno(), b"x" * PAGE)
    yield made
    made.stream.close()


async def test_lines_that_wait_are_written_together_but_one_with_a_fate_alone(
    full: Unread, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    write = os.write

    def note(descriptor: int, data: bytes) -> int:
        written.append(data)
        return write(descriptor, data)

    writer = LineWriter(full.stream)
    monkeypatch.setattr(os, "write", note)
    for name in ("a", "b", "c"):
        writer.put(name + "\n")
    alone = asyncio.create_task(writer.write("d\n", SECONDS))
    await asyncio.sleep(0)
    for name in ("e" * PAGE, "f", "g"):
        writer.put(name + "\n")
    read_until(full, b"g\n")
    assert (await alone) == Written(size=2, written=2)
    assert written == [b"a\nb\nc\n", b"d\n", b"e" * PAGE + b"\n", b"f\ng\n"]
    os.close(full.reader)


def test_each_of_several_lines_that_are_lost_together_is_counted(full: Unread) -> None:
    writer = LineWriter(full.stream)
    for name in ("a", "b", "c"):
        writer.put(name + "\n")
    os.close(full.reader)
    assert writer.drain(SECONDS)
    assert writer.dropped == 3


def test_a_reader_that_went_away_stops_nothing(configured: Callable[[TextIO], LineWriter]) -> None:
    unread = unread_pipe()
    os.close(unread.reader)
    writer = configured(unread.stream)
    structlog.get_logger().info("poll.failed")
    assert writer.drain(SECONDS)
    assert writer.dropped == 1
    unread.stream.close()


async def test_a_receiver_without_a_reader_or_a_disk_fails_without_doubt() -> None:
    unread = unread_pipe()
    os.close(unread.reader)
    outcome = await attempt(LineWriter(unread.stream), "log")
    assert isinstance(outcome, TryLater)
    assert "Broken pipe" in reason_text(outcome.reason)
    with os.fdopen(os.open("/dev/full", os.O_WRONLY), "w") as full:
        outcome = await attempt(LineWriter(full), "log")
    assert isinstance(outcome, TryLater)
    assert "No space left" in reason_text(outcome.reason)
    unread.stream.close()


def test_a_descriptor_that_is_closed_and_used_again_gets_no_line() -> None:
    first = unread_pipe()
    writer, number = LineWriter(first.stream), first.stream.fileno()
    first.stream.close()
    other = unread_pipe()
    assert number in {other.stream.fileno(), other.reader}
    writer.put("a line\n")
    assert writer.drain(SECONDS)
    assert first.read() == b"a line\n"
    other.stream.close()
    os.close(other.reader)
    os.close(first.reader)


def test_a_stream_in_memory_is_written_at_once() -> None:
    stream = io.StringIO()
    LineWriter(stream).put("a line\n")
    assert stream.getvalue() == "a line\n"


@pytest.mark.parametrize("is_detached", [False, True])
def test_a_line_for_a_stream_in_memory_that_is_gone_is_dropped(*, is_detached: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    writer = LineWriter(stream)
    if is_detached:
        stream.detach()
    else:
        stream.close()
    writer.put("a line\n")
