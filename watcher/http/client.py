"""One call over HTTP: each attempt has a deadline and a byte cap, and the result says whether the request was sent.

Only a request without an effect is attempted again, after the close of a kept connection. The client uses the library's
transport without the library's client: no redirects, no cookies, no retries, no decompression, and no URLs in logs.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Final

import httpx2 as httpx

from watcher import __version__
from watcher.addresses import ForbiddenAddressError, forbidden_host_reason
from watcher.clock import Clock
from watcher.core.secret import revealed
from watcher.http.attempt_trace import AttemptTrace, host_and_port, system_error_text
from watcher.http.exchange import (
    DEFAULT_PORTS,
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
from watcher.http.noted_stream import ON_BYTES
from watcher.http.transport_pool import TransportPool

DEFAULT_HEADERS: Final = {
    "User-Agent": f"aitems-watcher/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    # An answer from a cache shows an older state, and a heartbeat must reach its server.
    "Cache-Control": "no-cache",
}
MAX_PORT: Final = 65535
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
        ON_BYTES.set(attempt.note_bytes)
        asked_at = self._clock.utc_now()
        deadline = asyncio.timeout(self._settings.timeout_seconds)
        try:
            async with deadline:
                return await self._exchange(request, attempt, asked_at)
        except (httpx.HTTPError, httpx.InvalidURL, HttpSetupError, OSError, UnicodeError) as error:
            if deadline.expired():
                return self._late(attempt, asked_at)
            return self._failed(error, attempt, asked_at)
        except _TooLargeError as error:
            return self._too_large(attempt, asked_at, error.max_bytes)
        finally:
            await attempt.clean_up()

    async def _exchange(self, request: HttpRequest, attempt: AttemptTrace, asked_at: datetime) -> Answered:
        outgoing = _build(request, attempt)
        if self._settings.guarded:
            _guard(outgoing.url, attempt)
        pool = self._pool.pool_for(outgoing.url, keep_alive=not request.own_connection)
        response = await pool.handle_async_request(outgoing)
        attempt.status = response.status_code
        try:
            body = await _read(response, self._settings.max_body_bytes, request.large_body)
        finally:
            await response.aclose()
        return Answered(
            status=response.status_code,
            headers=Headers(response.headers.multi_items()),
            body=body,
            asked_at=asked_at,
            answered_at=self._clock.utc_now(),
        )

    def _late(self, attempt: AttemptTrace, asked_at: datetime) -> NotSent | MaybeSent:
        detail = f"{attempt.peer}: no complete answer within {self._settings.timeout_seconds:g} s"
        return self._failure(attempt, FailureReason.DEADLINE, detail, asked_at, sent=not attempt.surely_not_sent(None))

    def _too_large(self, attempt: AttemptTrace, asked_at: datetime, max_bytes: int) -> NotSent | MaybeSent:
        detail = f"{attempt.peer}: the body is larger than {max_bytes} bytes"
        return self._failure(attempt, FailureReason.TOO_LARGE, detail, asked_at, sent=True)

    def _failed(self, error: Exception, attempt: AttemptTrace, asked_at: datetime) -> NotSent | MaybeSent:
        reason = FailureReason.IDLE_CLOSED if attempt.met_idle_close(error) else attempt.reason(error)
        parts = [attempt.peer, REASON_TEXTS[reason], system_error_text(error)]
        detail = str(error) if isinstance(error, HttpSetupError) else ": ".join(filter(None, parts))
        sent = not (attempt.met_idle_close(error) or attempt.surely_not_sent(error))
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


def _build(request: HttpRequest, attempt: AttemptTrace) -> httpx.Request:
    outgoing = httpx.Request(
        request.method,
        revealed(request.url),
        headers=DEFAULT_HEADERS,
        content=request.body,
        extensions={"trace": attempt.trace},
    )
    attempt.peer = _peer(outgoing.url)
    outgoing.headers.update({name: revealed(value) for name, value in request.headers.items()})
    if request.signer is not None:
        outgoing.headers.update(request.signer(request.method, outgoing.url.raw_path))
    return outgoing


def _guard(url: httpx.URL, attempt: AttemptTrace) -> None:
    if url.userinfo:
        raise httpx.InvalidURL("a receiver's URL holds no user name or password")
    host = url.raw_host.decode("ascii")
    if fault := forbidden_host_reason(host):
        attempt.refuse_address()
        raise ForbiddenAddressError(f"{host}: {fault}")


def _peer(url: httpx.URL) -> str:
    port = url.port or DEFAULT_PORTS.get(url.scheme, 0)
    if not url.host or not 0 < port <= MAX_PORT:
        raise httpx.InvalidURL("not an http:// or https:// URL with a host and a port that exists")
    return host_and_port(url.raw_host.decode("ascii"), port)


async def _read(response: httpx.Response, max_body_bytes: int, large: LargeBody | None) -> bytes:
    body = bytearray()
    limit = max_body_bytes
    async with aclosing(response.aiter_raw()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                limit = _next_limit(body, limit, large)
    return bytes(body)


def _next_limit(body: bytearray, limit: int, large: LargeBody | None) -> int:
    """Return the size up to which a large body is read next."""
    if large is None or len(body) > large.max_bytes:
        raise _TooLargeError(limit if large is None else large.max_bytes)
    if not large.is_plausible(body):
        raise _TooLargeError(limit)
    return min(2 * len(body), large.max_bytes)
