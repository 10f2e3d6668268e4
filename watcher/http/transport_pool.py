"""Connection pools with their TLS trust, client certificate, and proxy of the settings or environment."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, TypedDict

import httpcore2
import httpx2 as httpx

from watcher.core.secret import revealed
from watcher.http.connection_pool import ConnectionPool
from watcher.http.environment_proxy import checked_proxy, environment_proxy
from watcher.http.exchange import HttpSettings, HttpSetupError
from watcher.http.outgoing import Origin
from watcher.http.socket_backend import SocketBackend


class _PoolOptions(TypedDict):
    ssl_context: ssl.SSLContext
    keepalive_expiry: float
    network_backend: httpcore2.AsyncNetworkBackend


class TransportPool:
    """Two connection pools for each proxy in use and for direct connections; one of them keeps no connection."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._tls = tls_context(settings)
        self._own_proxy = checked_proxy(revealed(settings.proxy), "proxy") if settings.proxy is not None else None
        self._pools: dict[tuple[str | None, bool], ConnectionPool] = {}
        self._proxies: dict[tuple[str, str, int | None], str | None] = {}

    def pool_for(self, origin: Origin, *, keep_alive: bool = True) -> ConnectionPool:
        """Return the pool for an origin; without ``keep_alive``, each request gets a new connection.

        Raises:
            ProxyKindError: the environment names a proxy of an unknown kind.
        """
        proxy = self._own_proxy or self._environment_proxy(origin.scheme, origin.host, origin.port)
        if (proxy, keep_alive) not in self._pools:
            limit = self._settings.max_connections
            self._pools[proxy, keep_alive] = ConnectionPool(self._library(proxy), limit, keep_alive=keep_alive)
        return self._pools[proxy, keep_alive]

    def _environment_proxy(self, scheme: str, host: str, port: int | None) -> str | None:
        if (scheme, host, port) not in self._proxies:
            self._proxies[scheme, host, port] = environment_proxy(scheme, host, port)
        return self._proxies[scheme, host, port]

    def _library(self, proxy: str | None) -> httpcore2.AsyncConnectionPool:
        """Return a pool of the library that only makes connections."""
        # The operator chose the proxy, so its address is not checked.
        backend = SocketBackend(guarded=self._settings.guarded and proxy is None)
        common: _PoolOptions = {
            "ssl_context": self._tls,
            "keepalive_expiry": self._settings.keep_alive_seconds,
            "network_backend": backend,
        }
        if proxy is None:
            return httpcore2.AsyncConnectionPool(**common)
        given = httpx.Proxy(proxy)
        return httpcore2.AsyncHTTPProxy(
            proxy_url=_raw(given.url),
            proxy_auth=given.raw_auth,
            proxy_ssl_context=self._tls if given.url.scheme == "https" else None,
            **common,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()


def _raw(url: httpx.URL) -> httpcore2.URL:
    return httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def tls_context(settings: HttpSettings) -> ssl.SSLContext:
    """Build the TLS context of a peer from ``ca_file``, else ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``, else the system.

    Raises:
        HttpSetupError: a file cannot be read or is not PEM.
    """
    if settings.client_cert is None:
        return _trust(settings.ca_file, shared=True)
    context = _trust(settings.ca_file)
    _add_client_cert(context, settings.client_cert)
    return context


def _trust(ca_file: Path | None, *, shared: bool = False) -> ssl.SSLContext:
    """Build a context, or share one where nobody changes it: each takes 50 ms of CPU time and 1 MB."""
    try:
        if ca_file:
            return ssl.create_default_context(cafile=ca_file)
        stamp = _stamp() if shared else ()
        return _shared_trust(stamp) if stamp else httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        source = f"ca_file {ca_file}" if ca_file else "the authorities of SSL_CERT_FILE or SSL_CERT_DIR"
        raise HttpSetupError(f"{source} cannot be read as PEM: {error}") from error


@lru_cache(maxsize=1)
def _shared_trust(_stamp: tuple[object, ...]) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _stamp() -> tuple[object, ...]:
    """Return facts that differ once the authorities of the environment or the system do.

    Empty where they are in none of the usual places, so that a change could not be noticed.
    """
    usual = ssl.get_default_verify_paths()
    places = (usual.cafile, usual.capath, usual.openssl_cafile, usual.openssl_capath)
    existing = sorted({Path(place) for place in places if place and Path(place).exists()})
    states = [(str(place), place.stat()) for place in existing]
    named = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    facts = tuple((place, state.st_ino, state.st_size, state.st_mtime_ns) for place, state in states)
    return (*named, *facts) if facts else ()


def _add_client_cert(context: ssl.SSLContext, path: Path) -> None:
    def no_passphrase() -> NoReturn:
        # Without a callback, OpenSSL would prompt on the terminal and wait.
        raise HttpSetupError(f"client_cert {path} has a passphrase; give a key without one")

    try:
        context.load_cert_chain(path, password=no_passphrase)
    except (OSError, ssl.SSLError) as error:
        raise HttpSetupError(f"client_cert {path} cannot be read as PEM with certificate and key: {error}") from error
