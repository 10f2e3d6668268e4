"""One attempt over HTTP: one deadline, one byte cap, and an honest word on whether it was sent.

The library's transport is used without its client: no redirect is followed, no cookie kept, nothing retried,
nothing inflated, and no URL reaches a log.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from typing import Final

import httpx2 as httpx

from watcher import __version__
from watcher.addresses import ForbiddenAddressError, forbidden_host_reason
from watcher.clock import Clock
from watcher.core.secret import Secret
from watcher.http.attempt_trace import AttemptTrace, host_and_port, system_words
from watcher.http.exchange import (
    Answered,
    FailureReason,
    Headers,
    HttpRequest,
    HttpResult,
    HttpSettings,
    HttpSetupError,
    MaybeSent,
    NotSent,
)
from watcher.http.transport_pool import TransportPool

DEFAULT_HEADERS: Final = {
    "User-Agent": f"aitems-watcher/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_PORT: Final = 65535

WORDS: Final = {
    FailureReason.ADDRESS: "this address is not connected to",
    FailureReason.DNS: "the name cannot be resolved",
    FailureReason.CONNECT: "no connection",
    FailureReason.TLS: "TLS failed",
    FailureReason.PROXY: "the proxy refused the way",
    FailureReason.INVALID: "the request cannot be sent: its URL, method or a header is malformed",
    FailureReason.RESET: "the connection ended without an answer",
    FailureReason.TRUNCATED: "the connection ended within the body",
    FailureReason.PROTOCOL: "what came back is not HTTP",
}


class _TooLargeError(Exception):
    """The body passed the cap."""


class HttpClient:
    """Makes single attempts over kept-alive HTTP/1.1 connections; one client serves any number of hosts.

    Raises:
        HttpSetupError: the settings cannot work, see there.
    """

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._pool = TransportPool(settings)
        self._under_way = 0
        self._closed = False

    async def call(self, request: HttpRequest) -> HttpResult:
        """Make one attempt; every failure is a result, only cancellation is raised."""
        self._under_way += 1
        try:
            return await self._attempt(request)
        finally:
            self._under_way -= 1
            await self._close_behind_the_last()

    async def _attempt(self, request: HttpRequest) -> HttpResult:
        attempt = AttemptTrace(request.on_write)
        asked_at = self._clock.utc_now()
        deadline = asyncio.timeout(self._settings.timeout_seconds)
        try:
            async with deadline:
                return await self._exchange(request, attempt, asked_at)
        except (httpx.HTTPError, httpx.InvalidURL, HttpSetupError, OSError, UnicodeError) as error:
            if deadline.expired():
                return self._late(attempt, asked_at)
            return self._failing_receivers(error, attempt, asked_at)
        except _TooLargeError:
            return self._too_large(attempt, asked_at)
        finally:
            await attempt.clean_up()

    async def _exchange(self, request: HttpRequest, attempt: AttemptTrace, asked_at: datetime) -> Answered:
        outgoing = _build(request, attempt)
        if self._settings.guarded:
            _guard(outgoing.url, attempt)
        response = await self._pool.pool_for(outgoing.url).handle_async_request(outgoing)
        attempt.status = response.status_code
        try:
            body = await _read(response, self._settings.max_body_bytes)
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
        detail = f"{attempt.peer}: no whole answer within {self._settings.timeout_seconds:g} s"
        return self._failure(attempt, FailureReason.DEADLINE, detail, asked_at, sent=not attempt.surely_not_sent(None))

    def _too_large(self, attempt: AttemptTrace, asked_at: datetime) -> NotSent | MaybeSent:
        detail = f"{attempt.peer}: the body is larger than {self._settings.max_body_bytes} bytes"
        return self._failure(attempt, FailureReason.TOO_LARGE, detail, asked_at, sent=True)

    def _failing_receivers(self, error: Exception, attempt: AttemptTrace, asked_at: datetime) -> NotSent | MaybeSent:
        reason = attempt.reason(error)
        words = [attempt.peer, WORDS[reason], system_words(error)]
        detail = str(error) if isinstance(error, HttpSetupError) else ": ".join(word for word in words if word)
        return self._failure(attempt, reason, detail, asked_at, sent=not attempt.surely_not_sent(error))

    def _failure(
        self, attempt: AttemptTrace, reason: FailureReason, detail: str, asked_at: datetime, *, sent: bool
    ) -> NotSent | MaybeSent:
        ended_at = self._clock.utc_now()
        if not sent:
            return NotSent(reason=reason, detail=detail, asked_at=asked_at, ended_at=ended_at)
        return MaybeSent(reason=reason, detail=detail, asked_at=asked_at, ended_at=ended_at, status=attempt.status)

    async def aclose(self) -> None:
        """Keep no connection any more: calls under way, and any that still come, end first as they would."""
        self._closed = True
        await self._close_behind_the_last()

    async def _close_behind_the_last(self) -> None:
        if self._closed and not self._under_way:
            await self._pool.aclose()


def _build(request: HttpRequest, attempt: AttemptTrace) -> httpx.Request:
    outgoing = httpx.Request(
        request.method,
        _text(request.url),
        headers=DEFAULT_HEADERS,
        content=request.body,
        extensions={"trace": attempt.trace},
    )
    attempt.peer = _peer(outgoing.url)
    outgoing.headers.update({name: _text(value) for name, value in request.headers.items()})
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


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _peer(url: httpx.URL) -> str:
    port = url.port or DEFAULT_PORTS.get(url.scheme, 0)
    if not url.host or not 0 < port <= MAX_PORT:
        raise httpx.InvalidURL("not an http:// or https:// URL with a host and a port that exists")
    return host_and_port(url.raw_host.decode("ascii"), port)


async def _read(response: httpx.Response, max_body_bytes: int) -> bytes:
    body = bytearray()
    async with aclosing(response.aiter_raw()) as chunks:
        async for chunk in chunks:
            if len(body) + len(chunk) > max_body_bytes:
                raise _TooLargeError
            body += chunk
    return bytes(body)
