"""One call over HTTP: each attempt has a deadline and a byte cap, and the result says whether the request was sent.

Only a request without an effect is attempted again, after the close of a kept connection. The client uses the pool
below the library's client: no redirects, no cookies, no retries, no decompression, and no URLs in logs.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Final

import httpcore2
import httpx2 as httpx

from watcher.addresses import ForbiddenAddressError, forbidden_host_reason
from watcher.clock import Clock
from watcher.core.secret import revealed
from watcher.http.attempt_trace import CURRENT, AttemptTrace, system_error_text
from watcher.http.exchange import (
    Answered,
    FailureReason,
    Headers,
    HttpRequest,
    HttpResult,
    HttpSettings,
    HttpSetupError,
    LargeBody,
    MaybeSent,
    NotSent,
)
from watcher.http.outgoing import Origin, destination, outgoing
from watcher.http.transport_pool import TransportPool

KEPT_TRIES: Final = 3
"""Kept connections that a call meets closed before it gets a new one of its own.

Other calls may leave a kept connection each time, so that a call without this bound might never get a new one.
"""

REASON_TEXTS: Final = {
    FailureReason.ADDRESS: "no allowed address",
    FailureReason.DNS: "the name cannot be resolved",
    FailureReason.CONNECT: "no connection",
    FailureReason.TLS: "TLS failed",
    FailureReason.PROXY: "the proxy refused the connection",
    FailureReason.PROXY_KIND: "the proxy is of an unknown kind",
    FailureReason.INVALID: "the request cannot be sent: its URL, method or a header is malformed",
    FailureReason.RESET: "the connection ended without an answer",
    FailureReason.IDLE_CLOSED: "the peer closed the idle connection",
    FailureReason.TRUNCATED: "the connection ended within the body",
    FailureReason.PROTOCOL: "the answer is not HTTP",
}

FAILURES: Final = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpx.InvalidURL,
    HttpSetupError,
    OSError,
    UnicodeError,
)
"""The errors of an attempt: those of the library, of its transports, and of malformed requests."""


class _TooLargeError(Exception):
    """The body is larger than the cap."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.max_bytes = max_bytes


class HttpClient:
    """Makes calls over kept-alive HTTP/1.1 connections; one client serves any number of hosts.

    Raises:
        HttpSetupError: the settings are unusable.
    """

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._pool = TransportPool(settings)
        self._open_calls = 0
        self._closed = False

    async def call(self, request: HttpRequest) -> HttpResult:
        """Make a call: one attempt as a rule. Every failure is a result; only cancellation raises.

        A request that only reads is repeated at once where the peer has closed a kept connection, at most
        ``KEPT_TRIES`` times.
        """
        self._open_calls += 1
        try:
            for _ in range(KEPT_TRIES):
                result = await self._attempt(request)
                if not (request.repeatable and is_idle_closed(result)):
                    return result
            return await self._attempt(replace(request, own_connection=True))
        finally:
            self._open_calls -= 1
            await self._close_if_idle()

    async def _attempt(self, request: HttpRequest) -> HttpResult:
        attempt = AttemptTrace(request.on_write, safe=request.safe)
        CURRENT.set(attempt)
        asked_at = self._clock.utc_now()
        seconds = min(self._settings.timeout_seconds, request.timeout_seconds or math.inf)
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                return await self._exchange(request, attempt, asked_at)
        except FAILURES as error:
            if deadline.expired():
                return self._late(attempt, asked_at, seconds)
            return self._failed(error, attempt, asked_at)
        except _TooLargeError as error:
            return self._too_large(attempt, asked_at, error.max_bytes)

    async def _exchange(self, request: HttpRequest, attempt: AttemptTrace, asked_at: datetime) -> Answered:
        origin, target = destination(revealed(request.url))
        attempt.peer = origin.peer
        if self._settings.guarded:
            _guard(origin, attempt)
        pool = self._pool.pool_for(origin, keep_alive=not request.own_connection)

        async def read(response: httpcore2.Response) -> Answered:
            attempt.status = response.status
            body = await _read(response, self._settings.max_body_bytes, request.large_body)
            return Answered(
                status=response.status,
                headers=_headers(response.headers),
                body=body,
                asked_at=asked_at,
                answered_at=self._clock.utc_now(),
            )

        return await pool.exchange(outgoing(request, origin, target), read)

    def _late(self, attempt: AttemptTrace, asked_at: datetime, seconds: float) -> NotSent | MaybeSent:
        detail = f"{attempt.peer}: no complete answer within {seconds:g} s"
        return self._failure(attempt, FailureReason.DEADLINE, detail, asked_at, sent=not attempt.surely_not_sent)

    def _too_large(self, attempt: AttemptTrace, asked_at: datetime, max_bytes: int) -> NotSent | MaybeSent:
        detail = f"{attempt.peer}: the body is larger than {max_bytes} bytes"
        return self._failure(attempt, FailureReason.TOO_LARGE, detail, asked_at, sent=True)

    def _failed(self, error: Exception, attempt: AttemptTrace, asked_at: datetime) -> NotSent | MaybeSent:
        reason = FailureReason.IDLE_CLOSED if attempt.met_idle_close(error) else attempt.reason(error)
        parts = [attempt.peer, REASON_TEXTS[reason], system_error_text(error)]
        detail = str(error) if isinstance(error, HttpSetupError) else ": ".join(filter(None, parts))
        sent = not (attempt.met_idle_close(error) or attempt.surely_not_sent)
        return self._failure(attempt, reason, detail, asked_at, sent=sent)

    def _failure(
        self, attempt: AttemptTrace, reason: FailureReason, detail: str, asked_at: datetime, *, sent: bool
    ) -> NotSent | MaybeSent:
        ended_at = self._clock.utc_now()
        if not sent:
            return NotSent(reason=reason, detail=detail, asked_at=asked_at, ended_at=ended_at)
        return MaybeSent(reason=reason, detail=detail, asked_at=asked_at, ended_at=ended_at, status=attempt.status)

    async def aclose(self) -> None:
        """Close all connections, after the end of the open calls and of any later call."""
        self._closed = True
        await self._close_if_idle()

    async def _close_if_idle(self) -> None:
        if self._closed and not self._open_calls:
            await self._pool.aclose()


def is_idle_closed(result: HttpResult) -> bool:
    """Return whether the peer closed a kept connection under a request that may be repeated without an effect."""
    return isinstance(result, NotSent) and result.reason is FailureReason.IDLE_CLOSED


def _guard(origin: Origin, attempt: AttemptTrace) -> None:
    if origin.user_info:
        raise httpx.InvalidURL("a receiver's URL holds no user name or password")
    host = origin.raw_host.decode("ascii")
    if fault := forbidden_host_reason(host):
        attempt.refuse_address()
        raise ForbiddenAddressError(f"{host}: {fault}")


async def _read(response: httpcore2.Response, max_body_bytes: int, large: LargeBody | None) -> bytes:
    body = bytearray()
    limit = max_body_bytes
    async with aclosing(response.aiter_stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                limit = _next_limit(body, limit, large)
    return bytes(body)


def _headers(fields: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return header fields as text: UTF-8, or else Latin-1."""
    try:
        return Headers((name.decode(), value.decode()) for name, value in fields)
    except UnicodeDecodeError:
        return Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)


def _next_limit(body: bytearray, limit: int, large: LargeBody | None) -> int:
    """Return the size up to which a large body is read next."""
    if large is None or len(body) > large.max_bytes:
        raise _TooLargeError(limit if large is None else large.max_bytes)
    if not large.is_plausible(body):
        raise _TooLargeError(limit)
    return min(2 * len(body), large.max_bytes)
