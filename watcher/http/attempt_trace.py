"""How far one attempt came, read from the library's trace: the ground for "not sent" or "uncertain"."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import httpx2 as httpx

from watcher.addresses import ForbiddenAddressError
from watcher.http.exchange import FailureReason

# The words by which the library tells an end of the stream from other breaches of HTTP; tests pin them.
ENDED_WITHOUT_ANSWER = "Server disconnected"
ENDED_WITHIN_BODY = "peer closed connection"
# A proxy's refusal is "407 Its Own Words".
STATUS_LENGTH = 3


class Stage(IntEnum):
    """The steps of an attempt, in order."""

    PREPARING = 0
    CONNECTING = 1
    ASKING_PROXY = 2
    SECURING = 3
    WRITING_HEAD = 4
    WRITTEN_HEAD = 5


class AttemptTrace:
    """Follows one attempt as its ``trace`` extension.

    The events are those of httpcore2, e.g. ``http11.send_request_headers.started``. Through a proxy the
    ``CONNECT`` passes the same events, so the method is looked at.
    """

    def __init__(self, on_write: Callable[[], None] | None) -> None:
        self.stage = Stage.PREPARING
        self.peer = ""
        """The host and port that is asked, for messages."""
        self.status: int | None = None
        """The answer's, once its head is whole."""
        self._name_failed = False
        self._address_refused = False
        self._connection: Any = None
        self._on_write = on_write

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take one event of the library."""
        _, _, step = event.partition(".")
        match step:
            case "connect_tcp.started":
                self.stage = Stage.CONNECTING
                self._name_proxy(host_and_port(info["host"], info["port"]))
            case "connect_tcp.failed":
                cause = info["exception"].__cause__
                self._name_failed = isinstance(cause, socket.gaierror)
                self._address_refused = isinstance(cause, ForbiddenAddressError)
            case "connect_tcp.complete":
                self._connection = info["return_value"]
            case "start_tls.started":
                self.stage = Stage.SECURING
            case "send_request_headers.started":
                self._begin_writing(info["request"].method)
            case "send_request_headers.complete" if self.stage is Stage.WRITING_HEAD:
                self.stage = Stage.WRITTEN_HEAD

    def refuse_address(self) -> None:
        """Note that the host itself is an address that is not connected to."""
        self._address_refused = True

    def _name_proxy(self, connected_to: str) -> None:
        if connected_to != self.peer:
            self.peer = f"{self.peer} through the proxy {connected_to}"

    def _begin_writing(self, method: bytes) -> None:
        if method == b"CONNECT":
            self.stage = Stage.ASKING_PROXY
            return
        self.stage = Stage.WRITING_HEAD
        if self._on_write is not None:
            self._on_write()

    async def clean_up(self) -> None:
        """Close a connection whose handshake was broken off; the library forgets it when it is cancelled there."""
        if self.stage is Stage.SECURING and self._connection is not None:
            await self._connection.aclose()

    def surely_not_sent(self, error: Exception | None) -> bool:
        """Say whether no byte can have left; a request that the library itself refuses is never written."""
        refused_here = isinstance(error, httpx.LocalProtocolError) and self.stage is Stage.WRITING_HEAD
        return refused_here or self.stage < Stage.WRITING_HEAD

    def reason(self, error: Exception) -> FailureReason:
        """Classify what broke the attempt."""
        if self.surely_not_sent(error):
            return self._reason_before_writing()
        if isinstance(error, httpx.ProtocolError):
            return _reason_of_breach(str(error))
        if isinstance(error, ssl.SSLError):
            return FailureReason.TLS
        return FailureReason.RESET if self.status is None else FailureReason.TRUNCATED

    def _reason_before_writing(self) -> FailureReason:
        if self._address_refused:
            return FailureReason.ADDRESS
        match self.stage:
            case Stage.CONNECTING:
                return FailureReason.DNS if self._name_failed else FailureReason.CONNECT
            case Stage.SECURING:
                return FailureReason.TLS
            case Stage.ASKING_PROXY:
                return FailureReason.PROXY
            case _:
                return FailureReason.INVALID


def _reason_of_breach(message: str) -> FailureReason:
    if message.startswith(ENDED_WITHOUT_ANSWER):
        return FailureReason.RESET
    return FailureReason.TRUNCATED if message.startswith(ENDED_WITHIN_BODY) else FailureReason.PROTOCOL


def host_and_port(host: str, port: int) -> str:
    """Write a peer for a person, e.g. ``aitems.apigw.ntruss.com:443`` or ``[::1]:8080``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def system_words(error: BaseException) -> str:
    """Return what the system or OpenSSL says of a failure, e.g. ``Connection refused``.

    Only their fixed texts: a library's message may quote what a peer sent back, a secret of ours included.
    """
    if isinstance(error, httpx.ProxyError):
        return f"status {str(error)[:STATUS_LENGTH]}"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason.replace("_", " ").lower()
        if isinstance(cause, socket.gaierror | ForbiddenAddressError):
            return cause.strerror or str(cause)
        if isinstance(cause, OSError) and cause.errno is not None:
            return os.strerror(cause.errno)
    return ""


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        current = queue.pop(0)
        if current is None or current in found:
            continue
        found.append(current)
        # The library wraps by argument, by cause and, for several addresses, by group.
        queue += [part for part in current.args if isinstance(part, BaseException)]
        queue += current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        queue.append(current.__cause__)
    return found
