"""The daemon's side of the socket, in its event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from watcher.accepting import end_accepting
from watcher.control.protocol import (
    MAX_REQUEST_BYTES,
    ControlError,
    Handler,
    Report,
    ReportingHandler,
    Request,
    answer_line,
    no_report,
    progress_line,
    read_request,
    refusal_line,
)
from watcher.control.socket_path import address_of, remove, replace_link

log = structlog.get_logger()

LINE_SECONDS: Final = 5.0
"""The deadline for reading a request and for writing its answer; a handler has no deadline."""
GRACE_SECONDS: Final = 1.0
"""At the end, requests in progress get this long."""
BACKLOG: Final = 16
CHECK_SECONDS: Final = 20.0
"""The time between two checks that the socket is still there."""


class ControlServer:
    """Serves the socket while its block runs; passes each request to the handler of its command.

    Args:
        path: the path of the socket.
        handlers: the handlers, by command.
        link: a link to make to the socket, e.g. beside the store; none is made where it equals ``path``.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler], *, link: Path | None = None) -> None:
        self._path = path
        self._link = None if link == path else link
        self._handlers = handlers
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._made: tuple[int, int] | None = None
        """The socket at the path, as it was made."""

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            OSError: the socket cannot be made.
        """
        await self.ensure()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Accept no more requests, and let those in progress end."""
        await self.close()

    async def ensure(self) -> None:
        """Listen, and make the socket and its link again where somebody removed them.

        Raises:
            OSError: they cannot be made.
        """
        if self._server is None or _identity(self._path) != self._made:
            await self._stop_listening()
            await self._listen()
        if self._link is not None and not _leads_to(self._link, self._path):
            replace_link(self._link, self._path)

    async def keep(self) -> None:
        """Make the socket again within a minute after its removal, until cancelled."""
        was_good = self._server is not None
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self.ensure()
            except OSError as error:
                if was_good:
                    log_unavailable(self._path, error)
                was_good = False
            else:
                was_good = True

    async def close(self) -> None:
        """Accept no more requests, and let those in progress end."""
        if self._server is not None:
            # The listener closes before the path is removed: a command must not reach a server that ends.
            await self._stop_listening()
            for path in (self._path, *((self._link,) if self._link else ())):
                remove(path)
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await end_accepting(server)

    async def _listen(self) -> None:
        listener = _listener(self._path)
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, sock=listener, limit=MAX_REQUEST_BYTES, backlog=BACKLOG
            )
        except BaseException:
            listener.close()
            raise
        self._made = _identity(self._path)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await self._answer(reader, writer)
            async with asyncio.timeout(LINE_SECONDS):
                writer.write(line)
                await writer.drain()
        except (OSError, TimeoutError) as error:
            log.info("control.disconnected", problem=str(error) or type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        def report(progress: Mapping[str, object]) -> None:
            writer.write(progress_line(progress))

        try:
            async with asyncio.timeout(LINE_SECONDS):
                request = read_request(await _line(reader))
            if not request.progress:
                return answer_line(await self._handle(request, no_report))
            return answer_line(await _unless_closed(reader, self._handle(request, report)))
        except ControlError as error:
            return refusal_line(error)

    async def _handle(self, request: Request, report: Report) -> Mapping[str, object]:
        handler = self._handlers.get(request.command)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise ControlError(f"the daemon has no command {request.command!r}; it has {known}")
        log.info("control.requested", command=request.command)
        try:
            if isinstance(handler, ReportingHandler):
                return await handler.serve(request.arguments, report)
            return await handler(request.arguments)
        except ControlError:
            raise
        except Exception:
            log.exception("control.crashed", command=request.command)
            raise ControlError(f"{request.command} failed because of a fault in the daemon; see its log") from None


async def _unless_closed(
    reader: asyncio.StreamReader, work: Coroutine[object, object, Mapping[str, object]]
) -> Mapping[str, object]:
    """Finish work that may take hours, unless its command ends before.

    Raises:
        ControlError: the command has ended.
    """
    serving = asyncio.create_task(work)
    closed = asyncio.create_task(_closed(reader))
    try:
        await asyncio.wait({serving, closed}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            return serving.result()
        raise ControlError("the command has ended")
    finally:
        serving.cancel()
        closed.cancel()
        await asyncio.gather(serving, closed, return_exceptions=True)


async def _closed(reader: asyncio.StreamReader) -> None:
    """Wait until the other side closes the connection."""
    with suppress(OSError):
        while await reader.read(MAX_REQUEST_BYTES):
            pass


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        raise ControlError(f"the request is longer than {MAX_REQUEST_BYTES} bytes") from None


def log_unavailable(path: Path, error: OSError) -> None:
    """Log that the socket cannot be made; the watcher works without it."""
    log.warning("control.unavailable", socket=str(path), problem=str(error), remedy="free the path; it is tried again")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _leads_to(link: Path, target: Path) -> bool:
    try:
        return link.readlink() == target
    except OSError:
        return False


def _listener(path: Path) -> socket.socket:
    """Return a bound socket that only its owner may connect to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        with address_of(path) as address:
            listener.bind(address)
        # Nobody can connect yet: the server calls listen() later.
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Remove the socket of a dead daemon.

    Raises:
        OSError: a running daemon uses the socket, or the path is no socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISLNK(mode) and (not stat.S_ISSOCK(mode) or _answers(path)):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, address_of(path) as address:
        return probe.connect_ex(address) == 0
