"""The progress of one attempt, from its connection; it decides between "not sent" and "maybe sent".

A peer may close a kept connection just as it is used again. Nothing shows then whether it has read the request: a
reset acknowledges nothing, and an end of stream may follow the request. Such an attempt counts as not sent only where
a repeat has no effect. Another request is maybe sent, unless it had a connection of its own (``HttpRequest``).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from enum import IntEnum
from typing import Final

import httpcore2

from watcher.addresses import ForbiddenAddressError
from watcher.http.exchange import FailureReason, ProxyKindError

# The beginnings of the library's messages for a stream that ended too early; tests pin them.
ENDED_WITHOUT_ANSWER = "Server disconnected"
ENDED_WITHIN_BODY = "peer closed connection"
# The error of a proxy begins with the status, e.g. "407 Proxy Authentication Required".
STATUS_LENGTH = 3
ASKS_PROXY: Final = b"CONNECT "


class AttemptStage(IntEnum):
    """The stages of an attempt, in order."""

    PREPARING = 0
    CONNECTING = 1
    ASKING_PROXY = 2
    SECURING = 3
    WRITING = 4


class AttemptTrace:
    """Follows one attempt; its connection calls these methods in the task of the attempt, see ``CURRENT``."""

    __slots__ = (
        "_address_refused",
        "_answer_began",
        "_name_failed",
        "_on_write",
        "_opened_connection",
        "_safe",
        "peer",
        "stage",
        "status",
    )

    def __init__(self, on_write: Callable[[], None] | None, *, safe: bool) -> None:
        self.stage = AttemptStage.PREPARING
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
        self._on_write = on_write

    def begin_connecting(self, host: str, port: int) -> None:
        """Note that a connection is opened, to the peer or to a proxy."""
        self.stage = AttemptStage.CONNECTING
        self._opened_connection = True
        connected_to = host_and_port(host, port)
        if connected_to != self.peer:
            self.peer = f"{self.peer} through the proxy {connected_to}"

    def note_lookup_failure(self, error: Exception) -> None:
        """Note that the host has no address, or no allowed one."""
        self._address_refused = isinstance(error, ForbiddenAddressError)
        self._name_failed = isinstance(error, socket.gaierror | UnicodeError)

    def begin_tls(self) -> None:
        """Note that a handshake begins."""
        self.stage = AttemptStage.SECURING

    def begin_writing(self, data: bytes) -> None:
        """Note that bytes are about to be written, of the request or of one to a proxy for a tunnel."""
        if self.stage is AttemptStage.WRITING:
            return
        if data.startswith(ASKS_PROXY):
            self.stage = AttemptStage.ASKING_PROXY
            return
        self.stage = AttemptStage.WRITING
        if self._on_write is not None:
            self._on_write()

    def note_bytes(self) -> None:
        """Note that bytes have arrived."""
        self._answer_began = self.stage is AttemptStage.WRITING

    def refuse_address(self) -> None:
        """Note that the host itself is a forbidden address."""
        self._address_refused = True

    @property
    def surely_not_sent(self) -> bool:
        """Whether no byte can have left."""
        return self.stage < AttemptStage.WRITING

    def met_idle_close(self, error: Exception) -> bool:
        """Return whether the peer closed a kept connection under a request that may be repeated without an effect."""
        return (
            self._safe
            and not self._opened_connection
            and not self._answer_began
            and not self.surely_not_sent
            and self.reason(error) is FailureReason.RESET
        )

    def reason(self, error: Exception) -> FailureReason:
        """Return the reason for the failure of the attempt."""
        if self.surely_not_sent:
            return self._reason_before_writing(error)
        if isinstance(error, httpcore2.ProtocolError):
            return _reason_of_breach(str(error))
        if isinstance(error, ssl.SSLError):
            return FailureReason.TLS
        return FailureReason.RESET if self.status is None else FailureReason.TRUNCATED

    def _reason_before_writing(self, error: Exception) -> FailureReason:
        if self._address_refused:
            return FailureReason.ADDRESS
        if isinstance(error, ProxyKindError):
            return FailureReason.PROXY_KIND
        # The library rejects a malformed request before it writes, on an open connection.
        if isinstance(error, httpcore2.LocalProtocolError):
            return FailureReason.INVALID
        return FailureReason.DNS if self._name_failed else REASONS_BEFORE_WRITING.get(self.stage, FailureReason.INVALID)


REASONS_BEFORE_WRITING: Final = {
    AttemptStage.CONNECTING: FailureReason.CONNECT,
    AttemptStage.ASKING_PROXY: FailureReason.PROXY,
    AttemptStage.SECURING: FailureReason.TLS,
}

CURRENT: Final[ContextVar[AttemptTrace]] = ContextVar("CURRENT")
"""The attempt of the current task."""


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
    if isinstance(error, httpcore2.ProxyError):
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
