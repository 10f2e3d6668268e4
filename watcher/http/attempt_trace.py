"""The progress of one attempt, from the library's trace; it decides between "not sent" and "maybe sent".

A peer may close a kept connection just as it is used again. Nothing shows then whether it has read the request: a
reset acknowledges nothing, and an end of stream may follow the request. Such an attempt counts as not sent only where
a repeat has no effect. Another request is maybe sent, unless it had a connection of its own (``HttpRequest``).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import httpx2 as httpx

from watcher.addresses import ForbiddenAddressError
from watcher.http.exchange import FailureReason, ProxyKindError

# The beginnings of the library's messages for a stream that ended too early; tests pin them.
ENDED_WITHOUT_ANSWER = "Server disconnected"
ENDED_WITHIN_BODY = "peer closed connection"
# The error of a proxy begins with the status, e.g. "407 Proxy Authentication Required".
STATUS_LENGTH = 3


class Stage(IntEnum):
    """The stages of an attempt, in order."""

    PREPARING = 0
    CONNECTING = 1
    ASKING_PROXY = 2
    SECURING = 3
    WRITING_HEAD = 4
    WRITTEN_HEAD = 5


class AttemptTrace:
    """Follows one attempt as its ``trace`` extension.

    The events are those of httpcore2, e.g. ``http11.send_request_headers.started``. Through a proxy the
    ``CONNECT`` has the same events, so the method tells them apart.
    """

    def __init__(self, on_write: Callable[[], None] | None, *, safe: bool) -> None:
        self.stage = Stage.PREPARING
        self.peer = ""
        """Host and port of the request, for messages."""
        self.status: int | None = None
        """The status of the answer, once its head is complete."""
        self._opened_connection = False
        self._answer_began = False
        self._safe = safe
        """Whether a repeat of the request has no effect."""
        self._name_failed = False
        self._address_refused = False
        self._connection: Any = None
        self._on_write = on_write

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Handle one event of the library."""
        _, _, step = event.partition(".")
        match step:
            case "connect_tcp.started":
                self.stage = Stage.CONNECTING
                self._opened_connection = True
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

    def note_bytes(self) -> None:
        """Note that bytes have arrived."""
        self._answer_began = self.stage >= Stage.WRITING_HEAD

    def refuse_address(self) -> None:
        """Note that the host itself is a forbidden address."""
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
        """Close a connection whose handshake was cancelled; the library does not close it."""
        # Callbacks of the connection hold the trace by their context. So they would hold megabytes that nobody reads.
        connection, self._connection = self._connection, None
        if self.stage is Stage.SECURING and connection is not None:
            await connection.aclose()

    def surely_not_sent(self, error: Exception | None) -> bool:
        """Return whether no byte can have left; a request that the library rejects is never written."""
        rejected_locally = isinstance(error, httpx.LocalProtocolError) and self.stage is Stage.WRITING_HEAD
        return rejected_locally or self.stage < Stage.WRITING_HEAD

    def met_idle_close(self, error: Exception) -> bool:
        """Return whether the peer closed a kept connection under a request that may be repeated without an effect."""
        return (
            self._safe
            and not self._opened_connection
            and not self._answer_began
            and not self.surely_not_sent(error)
            and self.reason(error) is FailureReason.RESET
        )

    def reason(self, error: Exception) -> FailureReason:
        """Return the reason for the failure of the attempt."""
        if self.surely_not_sent(error):
            return self._reason_before_writing(error)
        if isinstance(error, httpx.ProtocolError):
            return _reason_of_breach(str(error))
        if isinstance(error, ssl.SSLError):
            return FailureReason.TLS
        return FailureReason.RESET if self.status is None else FailureReason.TRUNCATED

    def _reason_before_writing(self, error: Exception) -> FailureReason:
        if self._address_refused:
            return FailureReason.ADDRESS
        if isinstance(error, ProxyKindError):
            return FailureReason.PROXY_KIND
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
    """Return a peer as text, e.g. ``aitems.apigw.ntruss.com:443`` or ``[::1]:8080``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def system_error_text(error: BaseException) -> str:
    """Return the text of the system or of OpenSSL for a failure, e.g. ``Connection refused``.

    Only fixed texts are used: the message of a library may quote the peer's answer, and that may hold our secret.
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
        # The library wraps errors in arguments, in causes and, for several addresses, in groups.
        queue += [part for part in current.args if isinstance(part, BaseException)]
        queue += current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        queue.append(current.__cause__)
    return found
