"""Test the connection to a peer: name, TCP and TLS, without an HTTP request."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from watcher.addresses import ForbiddenAddressError
from watcher.core.secret import Secret, revealed
from watcher.http.attempt_trace import host_and_port, system_error_text
from watcher.http.client import REASON_TEXTS
from watcher.http.environment_proxy import environment_proxy
from watcher.http.exchange import DEFAULT_PORTS, FailureReason, HttpSettings
from watcher.http.ssrf_guard import FIRST_TRIES_SECONDS, allowed_addresses
from watcher.http.transport_pool import tls_context

CLOSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The result of a probe."""

    failure: FailureReason | None
    """``None`` after a successful connection."""
    detail: str
    """One line for a person: host and port at most, and the steps that worked or failed."""


async def probe(url: str | Secret, settings: HttpSettings) -> Probe:
    """Connect to the host of ``url`` within ``settings.timeout_seconds``.

    With a proxy, only the proxy is probed: a connection through it would need a request.

    Raises:
        HttpSetupError: the settings are unusable.
    """
    target = urlsplit(revealed(url))
    proxy = revealed(settings.proxy) if settings.proxy else _environment_proxy(target)
    peer = urlsplit(proxy) if proxy else target
    trust = tls_context(settings) if peer.scheme == "https" else None
    host, port = peer.hostname or "", peer.port or DEFAULT_PORTS[peer.scheme]
    where = host_and_port(host, port)
    try:
        async with asyncio.timeout(settings.timeout_seconds):
            failure = await _reach(host, port, trust, guarded=settings.guarded and proxy is None)
    except TimeoutError:
        return Probe(failure=FailureReason.DEADLINE, detail=f"{where}: nothing within {settings.timeout_seconds:g} s")
    if failure is not None:
        parts = (where, REASON_TEXTS[failure.reason], system_error_text(failure.error))
        return Probe(failure=failure.reason, detail=": ".join(filter(None, parts)))
    return Probe(failure=None, detail=_reached(where, trust, behind_proxy=proxy is not None))


def _environment_proxy(target: SplitResult) -> str | None:
    return environment_proxy(target.scheme, target.hostname or "", target.port)


@dataclass(frozen=True, slots=True)
class _ConnectionFailure:
    reason: FailureReason
    error: Exception


async def _reach(host: str, port: int, trust: ssl.SSLContext | None, *, guarded: bool) -> _ConnectionFailure | None:
    try:
        writer = await _open(await allowed_addresses(host, port) if guarded else [host], port)
    except ForbiddenAddressError as error:
        return _ConnectionFailure(FailureReason.ADDRESS, error)
    except (OSError, UnicodeError) as error:
        is_lookup = isinstance(error, socket.gaierror | UnicodeError)
        return _ConnectionFailure(FailureReason.DNS if is_lookup else FailureReason.CONNECT, error)
    try:
        if trust is not None:
            await writer.start_tls(trust, server_hostname=host)
    except OSError as error:
        return _ConnectionFailure(FailureReason.TLS, error)
    finally:
        await _close(writer)
    return None


async def _open(hosts: Sequence[str], port: int) -> asyncio.StreamWriter:
    """Connect to the first of these hosts that answers."""
    for host in hosts[:-1]:
        with suppress(OSError):
            async with asyncio.timeout(FIRST_TRIES_SECONDS):
                return (await asyncio.open_connection(host, port))[1]
    return (await asyncio.open_connection(hosts[-1], port))[1]


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()


def _reached(where: str, trust: ssl.SSLContext | None, *, behind_proxy: bool) -> str:
    steps = "name, TCP and TLS" if trust else "name and TCP, without TLS"
    if behind_proxy:
        return f"{where}: {steps}; this is the proxy; the peer behind it was not tried"
    return f"{where}: {steps}"
